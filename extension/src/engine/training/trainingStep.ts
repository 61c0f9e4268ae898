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

/** The gradients of every trainable tensor, and what each micro-batch adds to the loss. All belong to the caller. */
export function computeGradients(
  model: CausalLm,
  adapter: Adapter,
  batches: readonly Batch[],
  rng: Rng,
  gradientCheckpointing = false,
): { losses: tf.Tensor[]; gradients: Map<string, tf.Tensor> } {
  const micro = batches.map(microBatch);
  const labelTokens = micro.reduce((sum, { numLabelTokens }) => sum + numLabelTokens, 0);
  let sums = new Map<string, tf.Tensor>();
  const losses: tf.Tensor[] = [];
  try {
    micro.forEach((batch, i) => {
      const keys: string[] = [];
      const [value, ...gradients] = tf.tidy(() => {
        const dropout = seededDropout(dropoutSeed(rng, i));
        const options = { labelTokens: tf.scalar(labelTokens), dropout, gradientCheckpointing };
        const result = lossAndGradients(model, adapter, adapter.variables, batchTensors(batch), options);
        keys.push(...result.gradients.keys());
        return [result.loss, ...result.gradients.values()];
      });
      losses.push(value!);
      const before = sums;
      sums = new Map(
        keys.map((key, k) => [key, before.has(key) ? tf.add(before.get(key)!, gradients[k]!) : gradients[k]!]),
      );
      for (const [k, key] of keys.entries()) if (before.has(key)) tf.dispose([before.get(key)!, gradients[k]!]);
    });
  } catch (error) {
    tf.dispose([...losses, ...sums.values()]);
    throw error;
  }
  return { losses, gradients: sums };
}

/** One update of the adapter. Where loss or gradient norm is not finite nothing is changed. */
export async function trainingStep(
  model: CausalLm,
  adapter: Adapter,
  optimizer: AdamW,
  batches: readonly Batch[],
  { learningRate, maxGradNorm, gradientCheckpointing, rng }: StepSettings,
): Promise<StepResult> {
  const { losses, gradients } = computeGradients(model, adapter, batches, rng, gradientCheckpointing);
  const { norm, clipped } = clipByGlobalNorm(gradients, maxGradNorm);
  let loss = 0;
  for (const value of losses) loss += (await value.data())[0]!;
  const gradNorm = (await norm.data())[0]!;
  if (Number.isFinite(loss) && Number.isFinite(gradNorm)) optimizer.update(clipped, learningRate);
  tf.dispose([...losses, norm, ...gradients.values(), ...clipped.values()]);
  return { loss, gradNorm };
}

/** What the frozen lower layers give for a batch, [batch * seq, hidden]. */
export async function frozenOutput(model: CausalLm, options: ForwardOptions, batch: Batch): Promise<Float32Array> {
  const states = tf.tidy(() => statesOf(model, options, batchTensors(microBatch(batch))));
  const values = await states.data<'float32'>();
  states.dispose();
  return values;
}

/** Losses and right first guesses of a batch, without training. */
export async function scoreBatch(model: CausalLm, options: ForwardOptions, batch: Batch): Promise<BatchScore> {
  const { losses, correct } = tf.tidy(() => scoreOf(model, options, batchTensors(microBatch(batch))));
  const result = { losses: await losses.data<'float32'>(), correct: (await correct.data())[0]! };
  tf.dispose([losses, correct]);
  return result;
}
