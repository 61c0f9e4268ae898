// Refuses a run that wouldn't fit into memory, before its weights are read. Called by prepareRun.ts.
import { InputError } from '../../core/inputError.js';
import { bytes } from '../../core/units.js';
import type { Estimate } from './estimateRun.js';
import type { ReservedMemory } from './reservedMemory.js';

/** Settings of a run that already save memory. */
export interface MemorySettings {
  gradientCheckpointing: boolean;
  /** Whether frozen weights are held in fewer bits than float32. */
  reducedBase: boolean;
}

/**
 * @param free bytes
 * @param others what other runs are still going to take of it
 * @param file the run file
 * @throws InputError if the estimate is higher; says what to change
 */
export function checkMemory(
  { memory }: Pick<Estimate, 'memory'>,
  { free, others }: { free: number; others: ReservedMemory },
  { gradientCheckpointing, reducedBase }: MemorySettings,
  file: string,
): void {
  const available = Math.max(0, free - others.bytes);
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
      : [parameters, 'use a smaller model or a method with fewer trainable parameters', batch];
  const advice = change.filter(each => each !== null).join(', or ');
  throw new InputError(
    `this run needs about ${bytes(total)} of memory, but only ${bytes(available)} is free${beside(others)}: ` +
      `${bytes(ofParameters)} for parameters, gradients and optimizer, ${bytes(activations + temporary)} for a batch`,
    {
      code: 'out_of_memory',
      file,
      hint: `${others.bytes > 0 ? 'Wait for the other run to end. Or: ' : ''}${advice[0]!.toUpperCase()}${advice.slice(1)}. Use --force to start it anyway.`,
    },
  );
}

function beside({ bytes: reserved, pids }: ReservedMemory): string {
  if (reserved === 0) return '';
  const who = pids.length === 1 ? `a run in process ${pids[0]}` : `runs in processes ${pids.join(', ')}`;
  return ` beside ${bytes(reserved)} that ${who} will still take`;
}
