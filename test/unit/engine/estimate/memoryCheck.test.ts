// A run that wouldn't fit into memory is refused, with what it needs and what to change.
import { expect, test } from 'vitest';
import { checkMemory } from '../../../../extension/src/engine/estimate/memoryCheck.js';
import { inputErrorOf } from '../../../support/inputErrors.js';

const GB = 1e9;
const PLAIN = { gradientCheckpointing: false, reducedBase: false };

function memory(parameters: number, batch: number) {
  const parts = { weights: parameters, gradients: 0, optimizer: 0, activations: batch / 2, temporary: batch / 2 };
  return { memory: { ...parts, total: parameters + batch } };
}

const free = (bytes: number, others = { bytes: 0, pids: [] as number[] }) => ({ free: bytes, others });

test('accepts a run that fits', () => {
  checkMemory(memory(GB, GB), free(2 * GB), PLAIN, 'run.json');
});

test('too large a batch: names batch size and length, with both figures', async () => {
  const error = await inputErrorOf(() => checkMemory(memory(GB, 7 * GB), free(4 * GB), PLAIN, 'run.json'));
  expect(error.describe()).toBe(
    'run.json: this run needs about 8.0 GB of memory, but only 4.0 GB is free: 1.0 GB for parameters, gradients and ' +
      'optimizer, 7.0 GB for a batch.\n  Set training.gradient_checkpointing, or lower training.per_device_train_batch_size (gradient_accumulation_steps makes ' +
      'up for it) or dataset.max_length. Use --force to start it anyway.',
  );
});

test('too many parameters: names fewer bits, a smaller model or another method', async () => {
  const error = await inputErrorOf(() => checkMemory(memory(7 * GB, GB), free(4 * GB), PLAIN, 'run.json'));
  expect(error.hint).toMatch(
    /^Set engine.base_weights to "int8" or "int4", or use a smaller model or a method with fewer trainable parameters, or lower/,
  );
});

test('does not suggest what is set already', async () => {
  const done = { gradientCheckpointing: true, reducedBase: true };
  const ofBatch = await inputErrorOf(() => checkMemory(memory(GB, 7 * GB), free(4 * GB), done, 'run.json'));
  expect(ofBatch.hint).toMatch(/^Lower training.per_device_train_batch_size/);
  const ofParameters = await inputErrorOf(() => checkMemory(memory(7 * GB, GB), free(4 * GB), done, 'run.json'));
  expect(ofParameters.hint).toMatch(/^Use a smaller model/);
});

test('what other runs are still going to take isn’t free, and they are named', async () => {
  const check = (others: number, pids: number[]) => () =>
    checkMemory(memory(GB, GB), free(4 * GB, { bytes: others, pids }), PLAIN, 'run.json');
  check(2 * GB, [7])();
  const error = await inputErrorOf(check(3 * GB, [7]));
  expect(error.message).toContain('only 1.0 GB is free beside 3.0 GB that a run in process 7 will still take:');
  expect(error.hint).toMatch(/^Wait for the other run to end\. Or: Set .* Use --force/);
  const of = await inputErrorOf(check(9 * GB, [7, 8]));
  expect(of.message).toContain('only 0 kB is free beside 9.0 GB that runs in processes 7, 8 will still take');
});
