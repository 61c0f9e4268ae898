// How much of a model's lower end a PEFT method leaves as it is: known from where its hooks and tensors stand, so that no
// method has to say it. What is frozen needs no gradient, and gives the same for the same tokens in every step. Called by
// training/backpropagation.ts and by whoever keeps the output of frozen layers.
import type * as tf from '@tensorflow/tfjs-core';
import type { Architecture, ModelInput } from './architecture.js';
import type { CausalLm, ForwardOptions } from './causalLm.js';

type Changes = Pick<ForwardOptions, 'hooks' | 'replaced'>;

/** Layers from the lowest on that work as in the base model; null where not even their input does. */
export function frozenLayers(architecture: Architecture, { hooks = {}, replaced }: Changes): number | null {
  const { parameters, linears, layers } = architecture;
  const numLayers = layers.length;
  if (hooks.virtualTokens) return null;
  if (hooks.keyValuePrefix || hooks.sublayer) return 0;
  let lowest = numLayers;
  for (const { name, layer } of linears) if (hooks.linear?.has(name)) lowest = Math.min(lowest, layer ?? numLayers);
  for (const { name, layer, kind } of parameters) {
    if (!replaced?.has(name)) continue;
    if (layer === null && kind === 'embedding') return null;
    lowest = Math.min(lowest, layer ?? numLayers);
  }
  return lowest;
}

/** What the layer behind the lowest `count` reads, [batch * seq, hidden]. Belongs to the caller's tidy. */
export function outputOfLowest(
  model: CausalLm,
  count: number,
  input: ModelInput,
  options: ForwardOptions,
): tf.Tensor2D {
  const pass = model.open(input, options);
  let x = model.embed(pass);
  for (let i = 0; i < count; i++) x = model.layer(pass, i, x);
  return x;
}
