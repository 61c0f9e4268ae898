// How many of a model's lowest layers a PEFT method leaves unchanged, derived from its hooks and replaced parameters,
// so that no method has to declare it. Frozen layers need no gradient, and their output for the same tokens is the same
// in every step. Called by training/backpropagation.ts and by the code that keeps the output of frozen layers.
import type * as tf from '@tensorflow/tfjs-core';
import type { Architecture, ModelInput } from './architecture.js';
import type { CausalLm, ForwardOptions } from './causalLm.js';

type Changes = Pick<ForwardOptions, 'hooks' | 'replaced'>;

/** Number of lowest layers that work as in the base model; null if even their input is changed. */
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

/** The output of the lowest `count` layers, [batch * seq, hidden]. Belongs to the caller's tidy. */
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
