// One optimizer step, run eagerly: micro-batches forward and backward, gradients summed, clipped, AdamW. The loss is the
// mean over the label tokens of all micro-batches together. The reference for capturedStep.ts, and what `wasm` runs.
import * as tf from '@tensorflow/tfjs-core';
import type { Batch } from '../data/batch.js';
import type { Rng } from '../data/rng.js';
import type { CausalLm, ForwardOptions } from '../models/causalLm.js';
import type { Adapter } from '../peft/adapter.js';
import type { AdamW } from './adamW.js';
import { seededDropout } from './dropout.js';
import type { BatchScore } from './evaluate.js';
import { batchTensors, clipByGlobalNorm, lossAndGradients, microBatch, scoreOf, statesOf } from './stepMath.js';

export interface StepResult {
  loss: number;
  /** Norm of all gradients together, before clipping. */
  gradNorm: number;
}

export interface StepSettings {
  learningRate: number;
  maxGradNorm: number;
  /** Layers are computed again for the backward pass in place of being kept. */
  gradientCheckpointing?: boolean;
  /** Dropout of this step follows from it. */
  rng: Rng;
}

/** The seed of a micro-batch's dropout. */
export function dropoutSeed(rng: Rng, index: number): number {
  return rng.fork(`micro-batch ${index}`).int(2 ** 31);
}

/** The gradients of every trainable tensor and the loss. The gradients belong to the caller. */
export function computeGradients(
  model: CausalLm,
  adapter: Adapter,
  batches: readonly Batch[],
  rng: Rng,
  gradientCheckpointing = false,
): { loss: number; gradients: Map<string, tf.Tensor> } {
  const micro = batches.map(microBatch);
  const labelTokens = micro.reduce((sum, { numLabelTokens }) => sum + numLabelTokens, 0);
  let sums = new Map<string, tf.Tensor>();
  let loss = 0;
  try {
    micro.forEach((batch, i) => {
      const keys: string[] = [];
      const [value, ...gradients] = tf.tidy(() => {
        const dropout = seededDropout(tf.scalar(dropoutSeed(rng, i), 'int32'));
        const options = { labelTokens: tf.scalar(labelTokens), dropout, gradientCheckpointing };
        const result = lossAndGradients(model, adapter, adapter.variables, batchTensors(batch), options);
        keys.push(...result.gradients.keys());
        return [result.loss, ...result.gradients.values()];
      });
      loss += value!.dataSync()[0]!;
      value!.dispose();
      const before = sums;
      sums = new Map(
        keys.map((key, k) => [key, before.has(key) ? tf.add(before.get(key)!, gradients[k]!) : gradients[k]!]),
      );
      for (const [k, key] of keys.entries()) if (before.has(key)) tf.dispose([before.get(key)!, gradients[k]!]);
    });
  } catch (error) {
    tf.dispose([...sums.values()]);
    throw error;
  }
  return { loss, gradients: sums };
}

/** One update of the adapter. Where loss or gradient norm is not finite nothing is changed. */
export function trainingStep(
  model: CausalLm,
  adapter: Adapter,
  optimizer: AdamW,
  batches: readonly Batch[],
  { learningRate, maxGradNorm, gradientCheckpointing, rng }: StepSettings,
): StepResult {
  const { loss, gradients } = computeGradients(model, adapter, batches, rng, gradientCheckpointing);
  const gradNorm = tf.tidy(() => {
    const { norm, clipped } = clipByGlobalNorm(gradients, maxGradNorm);
    const value = norm.dataSync()[0]!;
    if (Number.isFinite(loss) && Number.isFinite(value)) optimizer.update(clipped, learningRate);
    return value;
  });
  tf.dispose([...gradients.values()]);
  return { loss, gradNorm };
}

/** What the frozen lower layers give for a batch, [batch * seq, hidden]. */
export function frozenOutput(model: CausalLm, options: ForwardOptions, batch: Batch): Float32Array {
  const states = tf.tidy(() => statesOf(model, options, batchTensors(microBatch(batch))));
  const values = states.dataSync<'float32'>();
  states.dispose();
  return values;
}

/** Losses and right first guesses of a batch, without training. */
export function scoreBatch(model: CausalLm, options: ForwardOptions, batch: Batch): BatchScore {
  const { losses, correct } = tf.tidy(() => scoreOf(model, options, batchTensors(microBatch(batch))));
  const result = { losses: losses.dataSync<'float32'>(), correct: correct.dataSync()[0]! };
  tf.dispose([losses, correct]);
  return result;
}
