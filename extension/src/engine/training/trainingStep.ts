// One eager optimizer step: micro-batches forward and backward, gradients summed and clipped, AdamW. The loss is the
// mean over all micro-batches, by the objective's weights. The reference for capturedStep.ts, and the step on `wasm`.
import * as tf from '@tensorflow/tfjs-core';
import type { Batch } from '../data/batch.js';
import type { Rng } from '../data/rng.js';
import type { CausalLm, ForwardOptions } from '../models/causalLm.js';
import type { AdamW } from './adamW.js';
import { seededDropout } from './dropout.js';
import { batchTensors, modelInput } from './microBatch.js';
import type { Objective } from './objectives/objective.js';
import { clipByGlobalNorm, lossAndGradients, scoreOf, statesOf, type Training } from './stepMath.js';

export interface StepResult {
  loss: number;
  /** The norm of all gradients together, before clipping. */
  gradNorm: number;
  /** The losses of each micro-batch's label tokens, in its order; null if the objective has none. */
  tokenLosses: (Float32Array | null)[];
}

export interface StepSettings {
  learningRate: number;
  maxGradNorm: number;
  /** Recompute layers for the backward pass instead of keeping their intermediates. */
  gradientCheckpointing?: boolean;
  /** Determines the dropout of this step. */
  rng: Rng;
}

/** The seed of a micro-batch's dropout. */
export function dropoutSeed(rng: Rng, index: number): number {
  return rng.fork(`micro-batch ${index}`).int(2 ** 31);
}

/** The gradients of all trainable tensors, and each micro-batch's share of the loss and losses of tokens. All belong to the caller. */
export function computeGradients(
  training: Training,
  batches: readonly Batch[],
  rng: Rng,
  gradientCheckpointing = false,
): { losses: tf.Tensor[]; tokenLosses: (tf.Tensor1D | undefined)[]; gradients: Map<string, tf.Tensor> } {
  const { objective, adapter } = training;
  const totalWeight = weightOf(objective, batches);
  let sums = new Map<string, tf.Tensor>();
  const losses: tf.Tensor[] = [];
  const tokenLosses: (tf.Tensor1D | undefined)[] = [];
  try {
    batches.forEach((batch, i) => {
      const keys: string[] = [];
      const [value, ofTokens, ...gradients] = tf.tidy(() => {
        const dropout = seededDropout(dropoutSeed(rng, i));
        const options = { totalWeight: tf.scalar(totalWeight), dropout, gradientCheckpointing };
        const result = lossAndGradients(training, adapter.variables, batchTensors(objective, batch), options);
        keys.push(...result.gradients.keys());
        return [result.loss, result.tokenLosses, ...result.gradients.values()] as tf.Tensor[];
      });
      losses.push(value!);
      tokenLosses.push(ofTokens as tf.Tensor1D | undefined);
      const before = sums;
      sums = new Map(
        keys.map((key, k) => [key, before.has(key) ? tf.add(before.get(key)!, gradients[k]!) : gradients[k]!]),
      );
      for (const [k, key] of keys.entries()) if (before.has(key)) tf.dispose([before.get(key)!, gradients[k]!]);
    });
  } catch (error) {
    tf.dispose([...losses, ...present(tokenLosses), ...sums.values()]);
    throw error;
  }
  return { losses, tokenLosses, gradients: sums };
}

function present(tensors: readonly (tf.Tensor | undefined)[]): tf.Tensor[] {
  return tensors.filter(tensor => tensor !== undefined);
}

/** One update of the adapter. If the loss or the gradient norm is non-finite, nothing is changed. */
export async function trainingStep(
  training: Training,
  optimizer: AdamW,
  batches: readonly Batch[],
  { learningRate, maxGradNorm, gradientCheckpointing, rng }: StepSettings,
): Promise<StepResult> {
  const { losses, tokenLosses, gradients } = computeGradients(training, batches, rng, gradientCheckpointing);
  const { norm, clipped } = clipByGlobalNorm(gradients, maxGradNorm);
  let loss = 0;
  for (const value of losses) loss += (await value.data())[0]!;
  const gradNorm = (await norm.data())[0]!;
  if (Number.isFinite(loss) && Number.isFinite(gradNorm)) optimizer.update(clipped, learningRate);
  const ofTokens = await Promise.all(tokenLosses.map(tensor => tensor?.data<'float32'>() ?? null));
  tf.dispose([...losses, ...present(tokenLosses), norm, ...gradients.values(), ...clipped.values()]);
  return { loss, gradNorm, tokenLosses: ofTokens };
}

/** The sum of the batches' weights, by which the losses of a step are divided. */
export function weightOf(objective: Objective, batches: readonly Batch[]): number {
  return batches.reduce((sum, batch) => sum + objective.weight(batch), 0);
}

/** The frozen lower layers' output for a batch, [batch * seq, hidden]. */
export async function frozenOutput(model: CausalLm, options: ForwardOptions, batch: Batch): Promise<Float32Array> {
  const states = tf.tidy(() => statesOf(model, options, modelInput(batch)));
  const values = await states.data<'float32'>();
  states.dispose();
  return values;
}

/** The objective's score of a batch, without training. */
export async function scoreBatch<Score>(
  { objective, model }: { objective: Objective<any, Score>; model: CausalLm },
  options: ForwardOptions,
  batch: Batch,
): Promise<Score> {
  const scored = tf.tidy(() => scoreOf({ objective, model }, options, batchTensors(objective, batch)));
  return readScore(objective, scored, batch);
}

/** Reads and disposes the result of `scoreOf`. */
export async function readScore<Score>(
  objective: Objective<any, Score>,
  scored: Readonly<Record<string, tf.Tensor>>,
  batch: Batch,
): Promise<Score> {
  const values: Record<string, Float32Array> = {};
  for (const [name, tensor] of Object.entries(scored)) values[name] = await tensor.data<'float32'>();
  tf.dispose(scored);
  return objective.readScore(values, batch);
}
