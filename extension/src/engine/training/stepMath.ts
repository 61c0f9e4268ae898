// The arithmetic of one optimizer step as pure functions on tensors: loss and gradients, clipping, AdamW, scores. Run
// eagerly it computes, traced it becomes a graph (capturedStep.ts); either way this is the only place where it is written.
import * as tf from '@tensorflow/tfjs-core';
import type { Batch } from '../data/batch.js';
import type { ModelInput } from '../models/architecture.js';
import type { CausalLm, ForwardOptions } from '../models/causalLm.js';
import { frozenLayers, outputOfLowest } from '../models/frozenLayers.js';
import type { Adapter } from '../peft/adapter.js';
import { checkpointedGradients, wholeGradients } from './backpropagation.js';
import { labelRows, score, summedLoss, type LabelTensors } from './crossEntropy.js';

export type Tensors = ReadonlyMap<string, tf.Tensor>;
export type Dropout = NonNullable<ForwardOptions['dropout']>;

/** A micro-batch as plain arrays, in the order in which a step takes them. */
export interface MicroBatch {
  /** int32 [batch, seq] each: token ids, positions, segments. */
  inputIds: Int32Array;
  positionIds: Int32Array;
  segmentIds: Int32Array;
  batchSize: number;
  sequenceLength: number;
  /** [batch * seq, hidden], as in Batch. */
  states?: Float32Array;
  /** [labels] each: rows of the hidden states, the labels they predict, 1 where the row counts. */
  rows: Int32Array;
  targets: Int32Array;
  weights: Float32Array;
  numLabelTokens: number;
}

export function microBatch(batch: Batch): MicroBatch {
  const { rows, targets } = labelRows(batch);
  const weights = new Float32Array(rows.length).fill(1);
  return { ...batch, rows, targets, weights, numLabelTokens: rows.length };
}

/** The tensors of a micro-batch: ids, positions, segments, rows, targets, weights, states if it has them; the caller's. */
export function batchTensors(batch: MicroBatch): tf.Tensor[] {
  const tensors: tf.Tensor[] = [
    ...Object.values(modelInput(batch)),
    tf.tensor1d(batch.rows, 'int32'),
    tf.tensor1d(batch.targets, 'int32'),
    tf.tensor1d(batch.weights, 'float32'),
  ];
  if (batch.states)
    tensors.push(tf.tensor2d(batch.states, [batch.batchSize * batch.sequenceLength, statesWidth(batch)]));
  return tensors;
}

/** Values of a token in the states of a micro-batch. */
export function statesWidth({ states, batchSize, sequenceLength }: MicroBatch): number {
  return states ? states.length / (batchSize * sequenceLength) : 0;
}

/** A batch as the model reads it; the tensors belong to the caller. */
export function modelInput({
  batchSize,
  sequenceLength,
  inputIds,
  positionIds,
  segmentIds,
}: Pick<Batch, 'batchSize' | 'sequenceLength' | 'inputIds' | 'positionIds' | 'segmentIds'>): ModelInput {
  const tensor = (values: Int32Array) => tf.tensor2d(values, [batchSize, sequenceLength], 'int32');
  return { inputIds: tensor(inputIds), positionIds: tensor(positionIds), segmentIds: tensor(segmentIds) };
}

function named(tensors: readonly tf.Tensor[]): {
  input: ModelInput;
  labels: LabelTensors;
  start: tf.Tensor2D | null;
} {
  const [inputIds, positionIds, segmentIds, rows, targets, weights, states] = tensors;
  return {
    input: {
      inputIds: inputIds as tf.Tensor2D,
      positionIds: positionIds as tf.Tensor2D,
      segmentIds: segmentIds as tf.Tensor2D,
    },
    labels: { rows: rows as tf.Tensor1D, targets: targets as tf.Tensor1D, weights: weights as tf.Tensor1D },
    start: (states as tf.Tensor2D | undefined) ?? null,
  };
}

export interface GradientOptions {
  /** Label tokens of the whole step, so that micro-batches add up to its mean. */
  labelTokens: tf.Scalar;
  dropout: Dropout;
  /** Layers are computed again for the backward pass in place of being kept. */
  gradientCheckpointing?: boolean;
}

/** Summed loss of a micro-batch, divided by `labelTokens`, and its gradient by each parameter's key. */
export function lossAndGradients(
  model: CausalLm,
  adapter: Adapter,
  parameters: Tensors,
  batch: readonly tf.Tensor[],
  { labelTokens, dropout, gradientCheckpointing }: GradientOptions,
): { loss: tf.Scalar; gradients: Map<string, tf.Tensor> } {
  const { input, labels, start } = named(batch);
  const options = { ...adapter.forwardWith(parameters), dropout };
  const { loss, gradients } = (gradientCheckpointing ? checkpointedGradients : wholeGradients)({
    model,
    input,
    options,
    parameters: [...parameters.values()],
    lossOf: hidden => tf.div(summedLoss(model, hidden, labels, options), labelTokens),
    start,
  });
  const byKey = new Map<string, tf.Tensor>();
  [...parameters.keys()].forEach((key, i) => {
    // A parameter that the batch doesn't reach has none, as in PyTorch.
    if (gradients[i]) byKey.set(key, gradients[i]!);
  });
  return { loss, gradients: byKey };
}

/** Norm of all gradients together, and the gradients scaled down to `maxNorm` (0: as they are), as clip_grad_norm_. */
export function clipByGlobalNorm(
  gradients: Tensors,
  maxNorm: number,
): { norm: tf.Scalar; clipped: Map<string, tf.Tensor> } {
  const norm = tf.tidy(() =>
    tf.sqrt(tf.addN([...gradients.values()].map(gradient => tf.sum(tf.square(gradient))))),
  ) as tf.Scalar;
  if (maxNorm === 0) return { norm, clipped: new Map(gradients) };
  const factor = tf.tidy(() => tf.minimum(tf.div(maxNorm, tf.add(norm, 1e-6)), 1));
  const clipped = new Map([...gradients].map(([key, gradient]) => [key, tf.mul(gradient, factor)]));
  factor.dispose();
  return { norm, clipped };
}

export interface AdamWConfig {
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
}

/** What changes from update to update, as scalars. */
export interface AdamWScalars {
  /** learning rate / (1 - beta1^t) */
  stepSize: tf.Scalar;
  /** sqrt(1 - beta2^t) */
  correction: tf.Scalar;
  /** 1 - learning rate * weight decay */
  decay: tf.Scalar;
}

export function adamWScalars(step: number, learningRate: number, { beta1, beta2, weightDecay }: AdamWConfig): number[] {
  return [learningRate / (1 - beta1 ** step), Math.sqrt(1 - beta2 ** step), 1 - learningRate * weightDecay];
}

/** One parameter's update as torch.optim.AdamW defines it (arXiv:1711.05101). */
export function adamWUpdate(
  { parameter, gradient, first, second }: Record<'parameter' | 'gradient' | 'first' | 'second', tf.Tensor>,
  { stepSize, correction, decay }: AdamWScalars,
  { beta1, beta2, epsilon, weightDecay }: AdamWConfig,
): { parameter: tf.Tensor; first: tf.Tensor; second: tf.Tensor } {
  const newFirst = tf.add(tf.mul(first, beta1), tf.mul(gradient, 1 - beta1));
  const newSecond = tf.add(tf.mul(second, beta2), tf.mul(tf.square(gradient), 1 - beta2));
  const denominator = tf.add(tf.div(tf.sqrt(newSecond), correction), epsilon);
  const decayed = weightDecay > 0 ? tf.mul(parameter, decay) : parameter;
  const update = tf.mul(tf.div(newFirst, denominator), stepSize);
  return { parameter: tf.sub(decayed, update), first: newFirst, second: newSecond };
}

/** What the frozen lower layers give for a micro-batch, [batch * seq, hidden]; some of them have to be frozen. */
export function statesOf(model: CausalLm, options: ForwardOptions, batch: readonly tf.Tensor[]): tf.Tensor2D {
  return outputOfLowest(model, frozenLayers(model.architecture, options)!, named(batch).input, options);
}

/** Loss of each label position and right first guesses of a micro-batch, without training. */
export function scoreOf(
  model: CausalLm,
  options: ForwardOptions,
  batch: readonly tf.Tensor[],
): { losses: tf.Tensor1D; correct: tf.Scalar } {
  const { input, labels } = named(batch);
  return score(model, model.forward(input, options), labels, options);
}
