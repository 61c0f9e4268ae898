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

test('accepts a run that fits', () => {
  checkMemory(memory(GB, GB), 2 * GB, PLAIN, 'run.json');
});

test('too large a batch: names batch size and length, with both figures', async () => {
  const error = await inputErrorOf(() => checkMemory(memory(GB, 7 * GB), 4 * GB, PLAIN, 'run.json'));
  expect(error.describe()).toBe(
    'run.json: this run needs about 8.0 GB of memory, but only 4.0 GB is free: 1.0 GB for parameters, gradients and ' +
      'optimizer, 7.0 GB for a batch.\n  Set training.gradient_checkpointing, or lower training.per_device_train_batch_size (gradient_accumulation_steps makes ' +
      'up for it) or dataset.max_length. Use --force to start it anyway.',
  );
});

test('too many parameters: names fewer bits, a smaller model or another method', async () => {
  const error = await inputErrorOf(() => checkMemory(memory(7 * GB, GB), 4 * GB, PLAIN, 'run.json'));
  expect(error.hint).toMatch(
    /^Set engine.base_weights to "int8" or "int4", or use a smaller model or a method with fewer trainable parameters, or lower/,
  );
});

test('does not suggest what is set already', async () => {
  const done = { gradientCheckpointing: true, reducedBase: true };
  const ofBatch = await inputErrorOf(() => checkMemory(memory(GB, 7 * GB), 4 * GB, done, 'run.json'));
  expect(ofBatch.hint).toMatch(/^Lower training.per_device_train_batch_size/);
  const ofParameters = await inputErrorOf(() => checkMemory(memory(7 * GB, GB), 4 * GB, done, 'run.json'));
  expect(ofParameters.hint).toMatch(/^Use a smaller model/);
});
