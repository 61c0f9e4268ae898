// The settings that determine every batch of a run, computed once for training, its estimate and the count of its
// graphs.
import { InputError } from '../../core/inputError.js';
import type { RunConfig } from '../../protocol/runConfig.js';
import { usableLength, type AttachedMethod } from '../peft/attachedMethod.js';
import type { Objective } from './objectives/objective.js';
import { defaultObjective } from './objectives/registry.js';

export interface RunShape {
  objective: Objective;
  /** Sequences of a micro-batch. */
  batchSize: number;
  /**
   * Longest sequence in tokens, virtual tokens and prefix not counted: max_length, or less if the model has less room.
   */
  maxLength: number;
  packing: boolean;
  /** Virtual tokens that the method inserts before each example. */
  virtualTokens: number;
  /** Token id of the first virtual token. */
  firstVirtualId: number;
  gradientAccumulationSteps: number;
  gradientCheckpointing: boolean;
}

/** @throws InputError if virtual tokens or prefix leave no room for a row */
export function runShape(
  { dataset, training }: Pick<RunConfig, 'dataset' | 'training'>,
  attached: AttachedMethod,
): RunShape {
  const room = usableLength(attached.architecture, attached);
  if (room < 1) {
    const positions = usableLength(attached.architecture, null);
    throw new InputError(
      `${attached.positionsTaken} virtual tokens take up all of the model’s ${positions} positions`,
      {
        key: 'method.num_virtual_tokens',
        hint: `Fewer than ${positions} leave room for rows.`,
      },
    );
  }
  return {
    objective: defaultObjective,
    batchSize: training.per_device_train_batch_size,
    maxLength: Math.min(dataset.max_length, room),
    packing: dataset.packing,
    virtualTokens: attached.virtualTokens,
    firstVirtualId: attached.architecture.vocabSize,
    gradientAccumulationSteps: training.gradient_accumulation_steps,
    gradientCheckpointing: training.gradient_checkpointing,
  };
}
