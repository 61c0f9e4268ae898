import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { baselineOf } from '../../../../extension/src/core/metrics/comparedWith.js';
import { savingsInWords } from '../../../../extension/src/core/metrics/savingsText.js';
import { estimateSchema } from '../../../../extension/src/protocol/answers.js';

const estimate = (name: string) =>
  estimateSchema.parse(
    JSON.parse(readFileSync(new URL(`../../../fixtures/webviews/${name}.json`, import.meta.url), 'utf8')),
  );
/** What the dashboard says of a recorded estimate. */
function words(name: string): string {
  const answer = estimate(name);
  const full = baselineOf(answer)!;
  return savingsInWords({
    trainedParameters: answer.run.trainable_parameters,
    memory: answer.run.memory,
    full: { trainedParameters: full.trainable_parameters, memory: full.memory },
  });
}
const memory = (weights: number, trained: number, batch: number) => ({
  weights,
  gradients: trained,
  optimizer: 2 * trained,
  activations: batch,
  temporary: 0,
  total: weights + 3 * trained + batch,
});

test('on a small model it says why the memory of a step is hardly less, and what larger models take', () => {
  const text = words('estimate-tiny');
  expect(text).toMatch(/^115,840 parameters are trained instead of 1,750,240: 93% fewer\. /);
  expect(text).toMatch(/Their gradients and optimizer states take 1 MB instead of 21 MB\. /);
  expect(text).toMatch(
    /The difference is small here because \d+% of the step are activations and buffers of the batch/,
  );
  expect(text).toMatch(/a model with 1 billion parameters, gradients and optimizer states alone take 12\.0 GB\.$/);
});

test('on a model of useful size it says what is saved, and no more', () => {
  const text = words('estimate-smollm2');
  expect(text).toMatch(/fewer\. .*A whole step takes an estimated .* instead of .*\.$/);
  expect(text).not.toMatch(/small here/);
});

test('a model whose weights are most of a step has another reason', () => {
  const full = { trainedParameters: 100, memory: memory(1e9, 1e6, 1e6) };
  expect(savingsInWords({ trainedParameters: 10, memory: memory(1e9, 1e5, 1e6), full })).toMatch(
    /because 100% of the step are the model’s own weights/,
  );
});

test('training everything saves nothing, and without an estimate nothing is compared', () => {
  const full = { trainedParameters: 100, memory: memory(1, 1, 1) };
  expect(savingsInWords({ trainedParameters: 100, memory: memory(1, 1, 1), full })).toBe(
    'All 100 parameters are trained.',
  );
  expect(savingsInWords({ trainedParameters: 100, memory: memory(1, 1, 1), full: null })).toBe(
    '100 parameters are trained.',
  );
});
