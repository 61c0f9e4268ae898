// Next-token loss over the label positions of a batch. Logits are computed only for positions with a label, a chunk of
// rows at a time: with a vocabulary of 49,152 they are the largest tensors of a step.
import * as tf from '@tensorflow/tfjs-core';
import { IGNORE_LABEL } from '../../core/data/example.js';
import { hasTensorflowOps, tensorflowOp } from '../capture/tensorflowOps.js';
import { after } from '../capture/ordering.js';
import type { Batch } from '../data/batch.js';
import type { CausalLm, ForwardOptions } from '../models/causalLm.js';
import { headProduct, plainHead } from '../models/head.js';
import { gatherRows } from '../models/ops.js';
import type { Weight } from '../models/quantizedWeight.js';
import { CROSS_ENTROPY, CROSS_ENTROPY_GRADIENT } from '../webgpu/kernels/crossEntropy.js';
import { runKernel } from '../webgpu/kernels/register.js';
import { isWebgpu } from '../webgpu/tfjsWebgpu.js';

/**
 * Bytes of logits in memory at the same time: 512 rows of 49,152. With half as many, the head is read twice as often
 * and its products take a quarter longer (docs/decisions/0026).
 */
const CHUNK_BYTES = 96 << 20;

/** The hidden states that predict a label, and those labels: row b * seq + t predicts the label at t + 1. */
export interface LabelRows {
  rows: Int32Array;
  targets: Int32Array;
}

/** The same as tensors, all [labels]. A weight of 0 marks padding. */
export interface LabelTensors {
  rows: tf.Tensor1D;
  targets: tf.Tensor1D;
  weights: tf.Tensor1D;
}

export function labelRows({ labels, batchSize, sequenceLength }: Batch): LabelRows {
  const rows: number[] = [];
  const targets: number[] = [];
  for (let b = 0; b < batchSize; b++)
    for (let t = 0; t + 1 < sequenceLength; t++) {
      const label = labels[b * sequenceLength + t + 1]!;
      if (label === IGNORE_LABEL) continue;
      rows.push(b * sequenceLength + t);
      targets.push(label);
    }
  return { rows: Int32Array.from(rows), targets: Int32Array.from(targets) };
}

/**
 * Cross entropy of each row, and the probabilities, from which its gradient follows. The loss is logsumexp(logits) -
 * the label's logit, and logsumexp is the highest logit - log(the highest probability), which is never 0. A softmax and
 * two maxima take less time than TensorFlow's SparseSoftmaxCrossEntropyWithLogits (docs/decisions/0026).
 * @param logits [rows, vocab]
 * @param targets int32 [rows]
 */
function rowProbabilities(
  logits: tf.Tensor2D,
  targets: tf.Tensor1D,
): { losses: tf.Tensor1D; probabilities: tf.Tensor2D } {
  const [rows, vocab] = logits.shape;
  const starts = tf.mul(tf.range(0, rows, 1, 'int32'), tf.scalar(vocab, 'int32'));
  const ofTargets = tf.gather(tf.reshape(logits, [-1]), tf.add(starts, targets));
  const probabilities = tf.softmax(logits);
  const losses = tf.sub(tf.sub(tf.max(logits, 1), ofTargets), tf.log(tf.max(probabilities, 1))) as tf.Tensor1D;
  return { losses, probabilities };
}

/** Cross entropy of each row, [rows]. */
function rowLosses(logits: tf.Tensor2D, targets: tf.Tensor1D): tf.Tensor1D {
  return isWebgpu() ? runKernel(CROSS_ENTROPY, { logits, targets }) : rowProbabilities(logits, targets).losses;
}

/** The same, with the losses' gradient with respect to the logits: the probabilities minus one at each row's target. */
function rowGradients(logits: tf.Tensor2D, targets: tf.Tensor1D): { losses: tf.Tensor1D; dLogits: tf.Tensor2D } {
  if (isWebgpu()) {
    const [losses, dLogits] = runKernel<tf.Tensor[]>(CROSS_ENTROPY_GRADIENT, { logits, targets });
    return { losses: losses as tf.Tensor1D, dLogits: dLogits as tf.Tensor2D };
  }
  const { losses, probabilities } = rowProbabilities(logits, targets);
  if (!hasTensorflowOps()) {
    // Cast, since the wasm backend's oneHot returns integers whatever its dtype argument.
    const hot = tf.cast(tf.oneHot(targets, logits.shape[1]), 'float32');
    return { losses, dLogits: tf.sub(probabilities, hot) };
  }
  // Once the losses are computed, nothing else reads the probabilities, so TensorFlow subtracts in place.
  const dLogits = after(losses, () => {
    const [rows] = logits.shape;
    const indices = tf.stack([tf.range(0, rows, 1, 'int32'), targets], 1);
    const inputs = [probabilities, indices, tf.fill([rows], 1)];
    return tensorflowOp('TensorScatterSub', { T: 'float32', Tindices: 'int32' }, inputs) as tf.Tensor2D;
  });
  return { losses, dLogits };
}

/** Splits the rows into chunks that are as equal as possible. */
function chunks(rows: number, vocab: number): { start: number; size: number }[] {
  const count = Math.ceil((4 * rows * vocab) / CHUNK_BYTES);
  const most = Math.ceil(rows / count);
  return Array.from({ length: Math.ceil(rows / most) }, (_, i) => ({
    start: i * most,
    size: Math.min(most, rows - i * most),
  }));
}

/**
 * Sum of the losses of the label positions, differentiable.
 * @param hidden [batch * seq, hidden]
 * @param onTokenLosses called with the loss of each position, [labels]
 */
export function summedLoss(
  model: CausalLm,
  hidden: tf.Tensor2D,
  labels: LabelTensors,
  options: ForwardOptions,
  onTokenLosses?: (losses: tf.Tensor1D) => void,
): tf.Scalar {
  const states = gatherRows(hidden, labels.rows);
  const { head } = model.architecture;
  if (options.hooks?.linear?.has(head)) return lossOfLogits(model.logits(states, options), labels, onTokenLosses);
  const trained = options.replaced?.get(`${head}.weight`);
  return lossOfHead(
    model,
    states,
    trained ?? model.weight(`${head}.weight`),
    labels,
    trained !== undefined,
    onTokenLosses,
  );
}

/** For a head that a PEFT method changes: the gradient needs all logits at once. */
function lossOfLogits(
  logits: tf.Tensor2D,
  { targets, weights }: LabelTensors,
  onTokenLosses?: (losses: tf.Tensor1D) => void,
): tf.Scalar {
  const f = (logits: tf.Tensor, save: tf.GradSaveFunc) => {
    const { losses, dLogits } = rowGradients(logits as tf.Tensor2D, targets);
    save([tf.mul(dLogits, tf.expandDims(weights, 1))]);
    onTokenLosses?.(losses);
    const value = tf.sum(tf.mul(losses, weights));
    return { value, gradFunc: (dy: tf.Tensor, [d]: tf.Tensor[]) => tf.mul(d!, dy) };
  };
  return tf.customGrad(f as unknown as Parameters<typeof tf.customGrad>[0])(logits) as tf.Scalar;
}

/**
 * For a plain head: the gradient is computed chunk by chunk together with the loss, so no logits outlive their chunk.
 */
function lossOfHead(
  model: CausalLm,
  states: tf.Tensor2D,
  head: Weight,
  { targets, weights }: LabelTensors,
  weightTrains: boolean,
  onTokenLosses?: (losses: tf.Tensor1D) => void,
): tf.Scalar {
  const f = (...args: unknown[]) => {
    const [states, save] = [args[0] as tf.Tensor2D, args.at(-1) as tf.GradSaveFunc];
    const weight = plainHead(head, states.shape[0], states);
    let total: tf.Tensor = tf.scalar(0);
    let dWeight: tf.Tensor | null = null;
    const dStates: tf.Tensor2D[] = [];
    const tokenLosses: tf.Tensor1D[] = [];
    for (const { start, size } of chunks(states.shape[0], model.architecture.vocabSize)) {
      const inOrder = <T>(f: () => T) => (dStates.length > 0 ? after(dStates.at(-1)!, f) : f());
      const [loss, dState, dW, ofTokens] = inOrder(() =>
        tf.tidy(() => {
          const part = tf.slice(states, [start, 0], [size, -1]);
          const counted = tf.slice(weights, [start], [size]);
          const logits = model.logits(part, {}, weight);
          const { losses, dLogits } = rowGradients(logits, tf.slice(targets, [start], [size]));
          // Weights are applied to rows as wide as the hidden size, not the vocabulary.
          const weighted = (x: tf.Tensor2D) => tf.mul(x, tf.expandDims(counted, 1)) as tf.Tensor2D;
          const partOfWeight = weightTrains ? tf.matMul(dLogits, weighted(part), true) : tf.scalar(0);
          const sum = tf.sum(tf.mul(losses, counted));
          return [sum, weighted(headProduct(dLogits, weight, false)), partOfWeight, losses] as [
            tf.Scalar,
            tf.Tensor2D,
            tf.Tensor,
            tf.Tensor1D,
          ];
        }),
      );
      total = tf.add(total, loss);
      dStates.push(dState);
      tokenLosses.push(ofTokens);
      dWeight = dWeight ? tf.add(dWeight, dW) : dW;
    }
    save([tf.concat(dStates, 0), dWeight!]);
    onTokenLosses?.(tf.concat(tokenLosses));
    const gradFunc = (dy: tf.Tensor, [dStates, dWeight]: tf.Tensor[]) => {
      const first = tf.mul(dStates!, dy);
      return weightTrains ? [first, tf.mul(dWeight!, dy)] : first;
    };
    return { value: total, gradFunc };
  };
  const inputs = weightTrains ? [states, head as tf.Tensor] : [states];
  return tf.customGrad(f as unknown as Parameters<typeof tf.customGrad>[0])(...inputs) as tf.Scalar;
}

/** The loss of each label position and the number of correct predictions, without a gradient. */
export function score(
  model: CausalLm,
  hidden: tf.Tensor2D,
  { rows, targets, weights }: LabelTensors,
  options: ForwardOptions,
): { losses: tf.Tensor1D; correct: tf.Scalar } {
  const { head, vocabSize } = model.architecture;
  const weight = options.replaced?.get(`${head}.weight`) ?? model.weight(`${head}.weight`);
  const plain = options.hooks?.linear?.has(head) ? null : plainHead(weight, rows.shape[0], hidden);
  const losses: tf.Tensor1D[] = [];
  let correct: tf.Tensor = tf.scalar(0);
  for (const { start, size } of chunks(rows.shape[0], vocabSize)) {
    const [lossesOfChunk, correctOfChunk] = after(losses.at(-1) ?? hidden, () =>
      tf.tidy(() => {
        const part = <T extends tf.Tensor>(x: T) => tf.slice(x, [start], [size]) as T;
        const labels = part(targets);
        const states = tf.gather(hidden, part(rows)) as tf.Tensor2D;
        const logits = model.logits(states, options, plain);
        const hits = tf.cast(tf.equal(tf.argMax(logits, 1), labels), 'float32');
        return [rowLosses(logits, labels), tf.sum(tf.mul(hits, part(weights)))] as [tf.Tensor1D, tf.Scalar];
      }),
    );
    losses.push(lossesOfChunk);
    correct = tf.add(correct, correctOfChunk);
  }
  return { losses: tf.concat(losses), correct: correct as tf.Scalar };
}
