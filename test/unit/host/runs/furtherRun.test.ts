import { expect, test } from 'vitest';
import { chainName, furtherName } from '../../../../extension/src/host/runs/furtherRun.js';

test.each([
  ['pirate', [], 'pirate v2'],
  ['pirate', ['pirate', 'pirate v2', 'haiku v7'], 'pirate v3'],
  ['pirate v2', ['pirate v9'], 'pirate v10'],
  ['SmolLM v0.2', [], 'SmolLM v0.2 v2'],
])('%s among %j goes on as %s', (name, taken, expected) => {
  expect(furtherName(name, taken)).toBe(expected);
  expect(chainName(expected)).toBe(chainName(name));
});
