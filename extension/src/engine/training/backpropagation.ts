// The loss of a forward pass and its gradients: in one piece, or layer by layer with each layer recomputed for the
// backward pass (gradient checkpointing, arXiv:1604.06174), so that only its input is kept. Layers below the lowest
// changed one run forward only. Pure; called by stepMath.ts inside the caller's tidy.
import * as tf from '@tensorflow/tfjs-core';
import { after } from '../capture/ordering.js';
import type { ModelInput } from '../models/architecture.js';
import type { CausalLm, ForwardOptions } from '../models/causalLm.js';
import { frozenLayers, outputOfLowest } from '../models/frozenLayers.js';

export interface Differentiated {
  model: CausalLm;
  input: ModelInput;
  /** Hooks and replaced parameters read `parameters` themselves, so that a recomputed layer reads the same ones. */
  options: ForwardOptions;
  parameters: readonly tf.Tensor[];
  /** The loss of hidden states [batch * seq, hidden]. */
  lossOf(hidden: tf.Tensor2D): tf.Scalar;
  /** The input of the lowest changed layer, if it was kept from an earlier epoch. */
  start: tf.Tensor2D | null;
}

export interface LossGradients {
  loss: tf.Scalar;
  /** In the order of the parameters; null for those that the loss doesn't depend on. */
  gradients: (tf.Tensor | null)[];
}

/** Keeps everything that the backward pass reads from the forward pass. */
export function wholeGradients(work: Differentiated): LossGradients {
  const { model, input, options, parameters, lossOf } = work;
  const { frozen, start } = startOf(work);
  const forward = (): tf.Scalar => {
    const pass = model.open(input, options);
    let x = start ?? model.embed(pass);
    for (let i = frozen; i < model.architecture.layers.length; i++) x = model.layer(pass, i, x);
    return lossOf(model.finalNorm(pass, x));
  };
  const { value, gradients } = differentiate(forward, parameters, null);
  return { loss: value as tf.Scalar, gradients };
}

/** Keeps each layer's input, and recomputes the layer once the gradient of its output is known. */
export function checkpointedGradients(work: Differentiated): LossGradients {
  const { model, input, options, parameters, lossOf } = work;
  const numLayers = model.architecture.layers.length;
  const { frozen, start } = startOf(work);
  const pass = model.open(input, options);

  const inputs = [start ?? tf.tidy(() => model.embed(pass))];
  for (let i = frozen; i < numLayers; i++) inputs.push(tf.tidy(() => model.layer(pass, i, inputs.at(-1)!)));

  const sums: (tf.Tensor | null)[] = parameters.map(() => null);
  /** Adds to the parameters' gradients; returns the value of `f` and the gradients of `others`. */
  const backward = (f: () => tf.Tensor, others: readonly tf.Tensor[], dy: tf.Tensor | null) => {
    const { value, gradients } = differentiate(f, [...others, ...parameters], dy);
    gradients.slice(others.length).forEach((gradient, i) => {
      const sum = sums[i]!;
      if (!gradient) return;
      sums[i] = sum ? tf.add(sum, gradient) : gradient;
      if (sum) tf.dispose([sum, gradient]);
    });
    return { value, ofOthers: gradients.slice(0, others.length) };
  };

  const last = inputs.pop()!;
  const head = backward(() => lossOf(model.finalNorm(pass, last)), [last], null);
  let dy = head.ofOthers[0]!;
  if (last !== start) last.dispose();
  const ofPrefix: (tf.Tensor | null)[] = [];
  for (let i = numLayers - 1; i >= frozen; i--) {
    const x = inputs.pop()!;
    const { keys, values } = pass.prefix?.[i] ?? {};
    const others = keys ? [x, keys, values!] : [x];
    const { value, ofOthers } = after(dy, () => backward(() => model.layer(pass, i, x), others, dy));
    tf.dispose([value, dy]);
    if (x !== start) x.dispose();
    dy = ofOthers[0]!;
    ofPrefix.push(...ofOthers.slice(1).reverse());
  }
  if (pass.prefix) {
    // The prefix of all layers is computed together, so its gradients are propagated back together.
    const dPrefix = ofPrefix.reverse();
    const inOrder = () => options.hooks!.keyValuePrefix!.layers().flatMap(({ keys, values }) => [keys, values]);
    backward(() => tf.addN(inOrder().map((x, i) => tf.sum(tf.mul(x, dPrefix[i]!)))), [], null);
  }
  if (start === null) backward(() => model.embed(pass), [], dy);
  return { loss: head.value as tf.Scalar, gradients: sums };
}

/** The number of lowest layers that need no gradient, and their output; null if the embeddings need a gradient too. */
function startOf({ model, input, options, start }: Differentiated): { frozen: number; start: tf.Tensor2D | null } {
  const frozen = frozenLayers(model.architecture, options);
  if (frozen === null) return { frozen: 0, start: null };
  return { frozen, start: start ?? tf.tidy(() => outputOfLowest(model, frozen, input, options)) };
}

function differentiate(
  f: () => tf.Tensor,
  xs: readonly tf.Tensor[],
  dy: tf.Tensor | null,
): { value: tf.Tensor; gradients: (tf.Tensor | null)[] } {
  const { value, grads } = tf.engine().gradients(f, [...xs], dy as tf.Tensor, true);
  // tfjs leaves out what the result doesn't depend on.
  return { value, gradients: xs.map((_, i) => grads[i] ?? null) };
}
