// Refuses a run that wouldn't fit, before its weights are read. Called by prepareRun.ts.
import { InputError } from '../../core/inputError.js';
import { bytes } from '../../core/units.js';
import type { Estimate } from './estimateRun.js';

/** What a run has done about its memory already. */
export interface MemorySettings {
  gradientCheckpointing: boolean;
  /** Frozen weights are held in fewer bits than float32. */
  reducedBase: boolean;
}

/**
 * @param available bytes that the machine can still give
 * @param file the run file
 * @throws InputError where the estimate is more than that, naming what to change
 */
export function checkMemory(
  { memory }: Pick<Estimate, 'memory'>,
  available: number,
  { gradientCheckpointing, reducedBase }: MemorySettings,
  file: string,
): void {
  if (memory.total <= available) return;
  const { weights, gradients, optimizer, activations, temporary, total } = memory;
  const ofParameters = weights + gradients + optimizer;
  const batch =
    'lower training.per_device_train_batch_size (gradient_accumulation_steps makes up for it) or dataset.max_length';
  const parameters =
    weights > gradients + optimizer && !reducedBase ? 'Set engine.base_weights to "int8" or "int4"' : null;
  const change =
    activations + temporary > ofParameters
      ? [gradientCheckpointing ? null : 'Set training.gradient_checkpointing', batch]
      : [parameters, 'take a smaller model or a method that trains less', batch];
  const advice = change.filter(each => each !== null).join(', or ');
  throw new InputError(
    `this run needs about ${bytes(total)} of memory, and ${bytes(available)} are free: ${bytes(ofParameters)} for ` +
      `parameters, gradients and optimizer, ${bytes(activations + temporary)} for a batch`,
    { code: 'out_of_memory', file, hint: `${advice[0]!.toUpperCase()}${advice.slice(1)}; --force starts it anyway.` },
  );
}
