// What every batch of a run follows from, worked out once: training, its estimate and the count of its graphs read it here.
import { InputError } from '../../core/inputError.js';
import type { RunConfig } from '../../protocol/runConfig.js';
import { usableLength, type AttachedMethod } from '../peft/attachedMethod.js';
import type { Objective } from './objectives/objective.js';
import { defaultObjective } from './objectives/registry.js';

export interface RunShape {
  objective: Objective;
  /** Sequences of a micro-batch. */
  batchSize: number;
  /** Longest sequence in tokens, what the method puts before it not counted: max_length, as far as the model has room. */
  maxLength: number;
  packing: boolean;
  /** Virtual tokens that the method puts before each example. */
  virtualTokens: number;
  /** Id of the first of them. */
  firstVirtualId: number;
  gradientAccumulationSteps: number;
  gradientCheckpointing: boolean;
}

/** @throws InputError where what the method puts before a row leaves no room for it */
export function runShape(
  { dataset, training }: Pick<RunConfig, 'dataset' | 'training'>,
  attached: AttachedMethod,
): RunShape {
  const room = usableLength(attached.architecture, attached);
  if (room < 1)
    throw new InputError('the virtual tokens alone fill the model’s positions', { key: 'method.num_virtual_tokens' });
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
