// The arithmetic of one optimizer step as pure functions on tensors: loss and gradients, clipping, AdamW, scores. Run
// eagerly, they compute; traced, they become a graph (capturedStep.ts). This is the only place that implements it.
import * as tf from '@tensorflow/tfjs-core';
import type { ModelInput } from '../models/architecture.js';
import type { CausalLm, ForwardOptions } from '../models/causalLm.js';
import { frozenLayers, outputOfLowest } from '../models/frozenLayers.js';
import type { Adapter } from '../peft/adapter.js';
import { ADAM_W } from '../webgpu/kernels/adamW.js';
import { globalNorm } from '../webgpu/kernels/globalNorm.js';
import { runKernel } from '../webgpu/kernels/register.js';
import { isWebgpu } from '../webgpu/tfjsWebgpu.js';
import { checkpointedGradients, wholeGradients } from './backpropagation.js';
import type { BatchTensors } from './microBatch.js';
import type { Objective } from './objectives/objective.js';

export type Tensors = ReadonlyMap<string, tf.Tensor>;
export type Dropout = NonNullable<ForwardOptions['dropout']>;

/** An adapter, its base model and the objective. */
export interface Training {
  objective: Objective;
  model: CausalLm;
  adapter: Adapter;
}

export interface GradientOptions {
  /** Sum of the weights of all batches of the step, so that the micro-batches' losses add up to its mean. */
  totalWeight: tf.Scalar;
  dropout: Dropout;
  /** Recompute layers for the backward pass instead of keeping their intermediates. */
  gradientCheckpointing?: boolean;
}

/**
 * Summed loss of a micro-batch, divided by `totalWeight`, and its gradient by each parameter's key; and the losses of its label
 * tokens, [labels], if the objective has such losses.
 */
export function lossAndGradients(
  { objective, model, adapter }: Training,
  parameters: Tensors,
  { input, states, own }: BatchTensors,
  { totalWeight, dropout, gradientCheckpointing }: GradientOptions,
): { loss: tf.Scalar; gradients: Map<string, tf.Tensor>; tokenLosses: tf.Tensor1D | undefined } {
  let kept: tf.Tensor1D | undefined;
  const onTokenLosses = (losses: tf.Tensor1D) => (kept = tf.keep(losses));
  const options = { ...adapter.forwardWith(parameters), dropout };
  const { loss, gradients } = (gradientCheckpointing ? checkpointedGradients : wholeGradients)({
    model,
    input,
    options,
    parameters: [...parameters.values()],
    lossOf: hidden =>
      tf.div(objective.summedLoss({ model, hidden, tensors: own, options, onTokenLosses }), totalWeight),
    start: states ?? null,
  });
  const byKey = new Map<string, tf.Tensor>();
  [...parameters.keys()].forEach((key, i) => {
    // A parameter that the loss doesn't depend on has no gradient, as in PyTorch.
    if (gradients[i]) byKey.set(key, gradients[i]!);
  });
  // A kept tensor would outlive the caller's tidy.
  const tokenLosses = kept && tf.clone(kept);
  kept?.dispose();
  return { loss, gradients: byKey, tokenLosses };
}

/** The norm of all gradients together. */
function normOf(gradients: Tensors): tf.Scalar {
  const tensors = [...gradients.values()];
  if (isWebgpu()) return globalNorm(tensors);
  return tf.tidy(() => tf.sqrt(tf.addN(tensors.map(gradient => tf.sum(tf.square(gradient))))));
}

function clippingFactor(norm: tf.Scalar, maxNorm: number): tf.Scalar {
  return tf.tidy(() => tf.minimum(tf.div(maxNorm, tf.add(norm, 1e-6)), 1));
}

/** The norm of all gradients together, and the gradients clipped to `maxNorm` (0: unchanged), like clip_grad_norm_. */
export function clipByGlobalNorm(
  gradients: Tensors,
  maxNorm: number,
): { norm: tf.Scalar; clipped: Map<string, tf.Tensor> } {
  const norm = normOf(gradients);
  if (maxNorm === 0) return { norm, clipped: new Map(gradients) };
  const factor = clippingFactor(norm, maxNorm);
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

/** A parameter with its moments, named as in torch.optim.AdamW. */
export type AdamWState<T extends tf.Tensor = tf.Tensor> = { parameter: T; exp_avg: T; exp_avg_sq: T };

/** The scalars that change from update to update. */
export type AdamWScalars = {
  /** learning rate / (1 - beta1^t) */
  stepSize: tf.Scalar;
  /** sqrt(1 - beta2^t) */
  correction: tf.Scalar;
  /** 1 - learning rate * weight decay */
  decay: tf.Scalar;
};

/** The scalars of update `step`, counted from 1; they belong to the caller. */
export function adamWScalars(
  step: number,
  learningRate: number,
  { beta1, beta2, weightDecay }: AdamWConfig,
): AdamWScalars {
  return {
    stepSize: tf.scalar(learningRate / (1 - beta1 ** step)),
    correction: tf.scalar(Math.sqrt(1 - beta2 ** step)),
    decay: tf.scalar(1 - learningRate * weightDecay),
  };
}

/** One parameter's update as torch.optim.AdamW defines it (arXiv:1711.05101). */
export function adamWUpdate(
  state: AdamWState,
  gradient: tf.Tensor,
  scalars: AdamWScalars,
  config: AdamWConfig,
): AdamWState {
  if (isWebgpu()) return adamWKernel(state, gradient, stackedScalars(scalars, null), config);
  const { parameter, exp_avg, exp_avg_sq } = state;
  const { stepSize, correction, decay } = scalars;
  const { beta1, beta2, epsilon, weightDecay } = config;
  const first = tf.add(tf.mul(exp_avg, beta1), tf.mul(gradient, 1 - beta1));
  const second = tf.add(tf.mul(exp_avg_sq, beta2), tf.mul(tf.square(gradient), 1 - beta2));
  const denominator = tf.add(tf.div(tf.sqrt(second), correction), epsilon);
  const decayed = weightDecay > 0 ? tf.mul(parameter, decay) : parameter;
  const update = tf.mul(tf.div(first, denominator), stepSize);
  return { parameter: tf.sub(decayed, update), exp_avg: first, exp_avg_sq: second };
}

/** The scalars as the kernel reads them. */
function stackedScalars({ stepSize, correction, decay }: AdamWScalars, clipping: tf.Scalar | null): tf.Tensor {
  // Those that are fed to a captured step have one dimension.
  return tf.stack([stepSize, correction, decay, clipping ?? tf.scalar(1)].map(scalar => tf.reshape(scalar, [])));
}

function adamWKernel(
  state: AdamWState,
  gradient: tf.Tensor,
  scalars: tf.Tensor,
  { beta1, beta2, epsilon }: AdamWConfig,
): AdamWState {
  const inputs = { ...state, gradient, scalars };
  const [parameter, first, second] = runKernel<tf.Tensor[]>(ADAM_W, inputs, { beta1, beta2, epsilon });
  return { parameter: parameter!, exp_avg: first!, exp_avg_sq: second! };
}

/** The inputs of an update: the summed gradients of all micro-batches, and the state that they update. */
export type UpdateInputs = {
  gradients: Tensors;
  state: ReadonlyMap<string, AdamWState>;
  scalars: AdamWScalars;
};

/** Clipping and AdamW of all parameters at once, for a graph. */
export function clippedUpdate(
  { gradients, state, scalars }: UpdateInputs,
  maxNorm: number,
  config: AdamWConfig,
): { norm: tf.Scalar; state: ReadonlyMap<string, AdamWState> } {
  if (isWebgpu()) {
    const norm = normOf(gradients);
    const stacked = stackedScalars(scalars, maxNorm === 0 ? null : clippingFactor(norm, maxNorm));
    const updated = [...state].map(
      ([key, own]) => [key, adamWKernel(own, gradients.get(key)!, stacked, config)] as const,
    );
    return { norm, state: new Map(updated) };
  }
  const { norm, clipped } = clipByGlobalNorm(gradients, maxNorm);
  const updated = [...state].map(([key, own]) => [key, adamWUpdate(own, clipped.get(key)!, scalars, config)] as const);
  return { norm, state: new Map(updated) };
}

/** The frozen lower layers' output for a micro-batch, [batch * seq, hidden]; there must be some. */
export function statesOf(model: CausalLm, options: ForwardOptions, input: ModelInput): tf.Tensor2D {
  return outputOfLowest(model, frozenLayers(model.architecture, options)!, input, options);
}

/** The tensors that the objective's evaluation reads from a micro-batch, without training. */
export function scoreOf(
  { objective, model }: Pick<Training, 'objective' | 'model'>,
  options: ForwardOptions,
  { input, own }: BatchTensors,
): Readonly<Record<string, tf.Tensor>> {
  return objective.score({ model, hidden: model.forward(input, options), tensors: own, options });
}
