// A run that wouldn't fit is refused, with what it needs and what to change.
import { expect, test } from 'vitest';
import { checkMemory } from '../../../../extension/src/engine/estimate/memoryCheck.js';
import { inputErrorOf } from '../../../support/inputErrors.js';

const GB = 1e9;
const plain = { gradientCheckpointing: false, reducedBase: false };

function memory(parameters: number, batch: number) {
  const parts = { weights: parameters, gradients: 0, optimizer: 0, activations: batch / 2, temporary: batch / 2 };
  return { memory: { ...parts, total: parameters + batch } };
}

test('what fits is let through', () => {
  checkMemory(memory(GB, GB), 2 * GB, plain, 'run.json');
});

test('a batch that is too large: batch size and length are named, with both figures', async () => {
  const error = await inputErrorOf(() => checkMemory(memory(GB, 7 * GB), 4 * GB, plain, 'run.json'));
  expect(error.describe()).toBe(
    'run.json: this run needs about 8.0 GB of memory, and 4.0 GB are free: 1.0 GB for parameters, gradients and ' +
      'optimizer, 7.0 GB for a batch\n  Set training.gradient_checkpointing, or lower training.per_device_train_batch_size (gradient_accumulation_steps makes ' +
      'up for it) or dataset.max_length; --force starts it anyway.',
  );
});

test('parameters that are too many: fewer bits, a smaller model or another method', async () => {
  const error = await inputErrorOf(() => checkMemory(memory(7 * GB, GB), 4 * GB, plain, 'run.json'));
  expect(error.hint).toMatch(
    /^Set engine.base_weights to "int8" or "int4", or take a smaller model or a method that trains less, or lower/,
  );
});

test('what is set already is not advised again', async () => {
  const done = { gradientCheckpointing: true, reducedBase: true };
  const ofBatch = await inputErrorOf(() => checkMemory(memory(GB, 7 * GB), 4 * GB, done, 'run.json'));
  expect(ofBatch.hint).toMatch(/^Lower training.per_device_train_batch_size/);
  const ofParameters = await inputErrorOf(() => checkMemory(memory(7 * GB, GB), 4 * GB, done, 'run.json'));
  expect(ofParameters.hint).toMatch(/^Take a smaller model/);
});
