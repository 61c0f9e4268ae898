// Refuses a run that wouldn't fit, before its weights are read. Called by trainRun.ts.
import { InputError } from '../../core/inputError.js';
import { bytes } from '../../core/units.js';
import type { Estimate } from './estimateRun.js';

/**
 * @param available bytes that the machine can still give
 * @param where the run file
 * @throws InputError where the estimate is more than that, naming what to change
 */
export function checkMemory({ memory }: Pick<Estimate, 'memory'>, available: number, where: string): void {
  if (memory.total <= available) return;
  const { weights, gradients, optimizer, activations, temporary, total } = memory;
  const ofParameters = weights + gradients + optimizer;
  const change =
    activations + temporary > ofParameters
      ? 'Set training.gradient_checkpointing, or lower training.per_device_train_batch_size (gradient_accumulation_steps makes up for it) or dataset.max_length'
      : 'Set engine.base_weights to "int8" where the base is frozen, take a smaller model or a method that trains less, or lower training.per_device_train_batch_size or dataset.max_length';
  throw new InputError(
    `this run needs about ${bytes(total)} of memory, and ${bytes(available)} are free: ${bytes(ofParameters)} for ` +
      `parameters, gradients and optimizer, ${bytes(activations + temporary)} for a batch`,
    { where, hint: `${change}; --force starts it anyway.` },
  );
}
