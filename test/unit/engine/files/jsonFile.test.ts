// JSON files of others: what isn't JSON, isn't an object, or is nested without end is refused with its place.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readJsonObject } from '../../../../extension/src/engine/files/jsonFile.js';
import { inputErrorOf } from '../../../support/inputErrors.js';

const folder = mkdtempSync(join(tmpdir(), 'tunewright-json-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'a.json');
const nested = (depth: number) => `${'{"a":['.repeat(depth / 2)}${']}'.repeat(depth / 2)}`;

test('an object is read, nested 500 deep too, and a missing file is null', () => {
  writeFileSync(file, '{"a":1}');
  expect(readJsonObject(file)).toEqual({ a: 1 });
  writeFileSync(file, nested(500));
  expect(readJsonObject(file)).toHaveProperty('a');
  // Brackets side by side, and in texts, aren't nested.
  writeFileSync(file, JSON.stringify({ lists: new Array(2000).fill([]), text: '"\\['.repeat(2000) }));
  expect(readJsonObject(file)).toHaveProperty('lists');
  expect(readJsonObject(join(folder, 'none.json'))).toBeNull();
});

test.each([
  ['{"a":1,}', /not JSON.*a\.json:1|a\.json:1.*not JSON/s],
  ['{"a":\n NaN}', /a\.json:2/],
  ['[1]', /not a JSON object/],
  [nested(502), /more than 500 values are in each other/],
  ['{"a":'.repeat(100_000), /more than 500 values are in each other/],
])('%.20s is refused', async (text, message) => {
  writeFileSync(file, text);
  const error = await inputErrorOf(() => readJsonObject(file));
  expect(error.describe()).toMatch(message);
  expect(error.describe()).toContain(file);
});
