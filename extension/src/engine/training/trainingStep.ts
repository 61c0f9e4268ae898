// One optimizer step: micro-batches forward and backward, gradients summed, clipped as torch's clip_grad_norm_, AdamW.
// The loss is the mean over the label tokens of all micro-batches together.
import * as tf from '@tensorflow/tfjs-core';
import type { Batch } from '../data/batch.js';
import type { Rng } from '../data/rng.js';
import type { ModelInput } from '../models/architecture.js';
import type { CausalLm, ForwardOptions } from '../models/causalLm.js';
import type { Adapter } from '../peft/adapter.js';
import type { AdamW } from './adamW.js';
import { labelRows, scoreRows, summedLoss } from './crossEntropy.js';

export interface StepResult {
  loss: number;
  /** Norm of all gradients together, before clipping. */
  gradNorm: number;
}

/** A batch as tensors; they belong to the caller's tidy. */
export function modelInput({ batchSize, sequenceLength, inputIds, positionIds, segmentIds }: Batch): ModelInput {
  const tensor = (values: Int32Array) => tf.tensor2d(values, [batchSize, sequenceLength], 'int32');
  return { inputIds: tensor(inputIds), positionIds: tensor(positionIds), segmentIds: tensor(segmentIds) };
}

/** Inverted dropout from a seeded stream. */
function seededDropout(rng: Rng): NonNullable<ForwardOptions['dropout']> {
  return (x, rate) => {
    const kept = Float32Array.from({ length: x.size }, () => (rng.next() < rate ? 0 : 1 / (1 - rate)));
    return tf.mul(x, tf.tensor(kept, x.shape)) as tf.Tensor2D;
  };
}

/** The gradients of every trainable tensor and the loss. The gradients belong to the caller. */
export function computeGradients(
  model: CausalLm,
  adapter: Adapter,
  batches: readonly Batch[],
  rng: Rng,
): { loss: number; gradients: Map<string, tf.Tensor> } {
  const rows = batches.map(labelRows);
  const labelTokens = rows.reduce((sum, { targets }) => sum + targets.length, 0);
  const variables = [...adapter.variables.values()];
  const sums = new Map<string, tf.Tensor>();
  let loss = 0;
  try {
    batches.forEach((batch, i) => {
      const { value, grads } = tf.tidy(() =>
        tf.variableGrads(() => {
          const options = { ...adapter.forwardOptions, dropout: seededDropout(rng) };
          const hidden = model.forward(modelInput(batch), options);
          return tf.div(summedLoss(model, hidden, rows[i]!, options), labelTokens) as tf.Scalar;
        }, variables),
      );
      loss += value.dataSync()[0]!;
      value.dispose();
      for (const [key, variable] of adapter.variables) {
        const gradient = grads[variable.name];
        if (!gradient) continue;
        const before = sums.get(key);
        sums.set(key, before ? tf.add(before, gradient) : gradient);
        if (before) tf.dispose([before, gradient]);
      }
    });
  } catch (error) {
    tf.dispose([...sums.values()]);
    throw error;
  }
  return { loss, gradients: sums };
}

/** Scales `gradients` down to `maxNorm` where they are longer (0: never). The result belongs to the caller. */
function clip(gradients: Map<string, tf.Tensor>, maxNorm: number): { norm: number; clipped: Map<string, tf.Tensor> } {
  const squares = tf.tidy(() => tf.addN([...gradients.values()].map(gradient => tf.sum(tf.square(gradient)))));
  const norm = Math.sqrt(squares.dataSync()[0]!);
  squares.dispose();
  const factor = maxNorm > 0 ? Math.min(1, maxNorm / (norm + 1e-6)) : 1;
  if (!(factor < 1)) return { norm, clipped: gradients };
  const clipped = new Map([...gradients].map(([key, gradient]) => [key, tf.mul(gradient, factor)]));
  tf.dispose([...gradients.values()]);
  return { norm, clipped };
}

/** One update of the adapter. Where loss or gradient norm is not finite nothing is changed. */
export function trainingStep(
  model: CausalLm,
  adapter: Adapter,
  optimizer: AdamW,
  batches: readonly Batch[],
  { learningRate, maxGradNorm, rng }: { learningRate: number; maxGradNorm: number; rng: Rng },
): StepResult {
  const { loss, gradients } = computeGradients(model, adapter, batches, rng);
  const { norm, clipped } = clip(gradients, maxGradNorm);
  if (Number.isFinite(loss) && Number.isFinite(norm)) optimizer.update(clipped, learningRate);
  tf.dispose([...clipped.values()]);
  return { loss, gradNorm: norm };
}

/** Summed loss and right first guesses of a batch, without training. */
export function scoreBatch(model: CausalLm, options: ForwardOptions, batch: Batch): { loss: number; correct: number } {
  const hidden = tf.tidy(() => model.forward(modelInput(batch), options));
  const score = scoreRows(model, hidden, labelRows(batch), options);
  hidden.dispose();
  return score;
}
