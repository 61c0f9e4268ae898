// What the three prompt methods share: PEFT's prompt config and a small multi-layer encoder over virtual tokens.
import * as tf from '@tensorflow/tfjs-core';
import type { Architecture } from '../models/architecture.js';
import { linear } from '../models/ops.js';
import type { TensorOf, TrainableSpec } from './method.js';

/** The one tensor of a saved prompt adapter. */
export const PROMPT_KEY = 'prompt_embeddings';

/** Sizes that PEFT writes into every prompt config. `token_dim` and heads are those of the keys for PREFIX_TUNING. */
export function promptSizes(architecture: Architecture, kind: 'tokens' | 'keyValues'): Record<string, unknown> {
  const { hiddenSize, numHeads, numKeyValueHeads, headDim, numLayers } = architecture;
  return {
    token_dim: kind === 'tokens' ? hiddenSize : numKeyValueHeads * headDim,
    num_attention_heads: kind === 'tokens' ? numHeads : numKeyValueHeads,
    num_layers: numLayers,
    num_transformer_submodules: 1,
  };
}

/** One linear layer of an encoder, initialised as torch.nn.Linear. */
export function encoderLayer(name: string, inFeatures: number, outFeatures: number): TrainableSpec[] {
  const bound = 1 / Math.sqrt(inFeatures);
  return [
    { key: `${name}.weight`, shape: [outFeatures, inFeatures], init: { kind: 'uniform', bound } },
    { key: `${name}.bias`, shape: [outFeatures], init: { kind: 'uniform', bound } },
  ];
}

export function applyEncoderLayer(name: string, x: tf.Tensor2D, tensorOf: TensorOf): tf.Tensor2D {
  return tf.add(linear(x, tensorOf(`${name}.weight`) as tf.Tensor2D), tensorOf(`${name}.bias`));
}
