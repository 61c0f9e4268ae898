import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { baselineOf } from '../../../../extension/src/core/metrics/comparedWith.js';
import { estimateSchema } from '../../../../extension/src/protocol/answers.js';

const estimate = estimateSchema.parse(JSON.parse(readFileSync('test/fixtures/webviews/estimate-tiny.json', 'utf8')));

test('the method that the engine names, the run itself if it is that method, null if it can’t be used with the model', () => {
  expect(baselineOf(estimate)).toBe(estimate.methods.find(method => method.peft_type === estimate.baseline));
  expect(baselineOf({ ...estimate, baseline: estimate.run.peft_type })).toBe(estimate.run);
  const refused = { peft_type: estimate.baseline, reason: 'too large' };
  expect(baselineOf({ ...estimate, methods: [refused] })).toBeNull();
});
