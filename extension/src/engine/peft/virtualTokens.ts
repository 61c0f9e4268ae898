// Shared by the three prompt methods: PEFT's prompt config and a small multi-layer encoder for virtual tokens.
import * as tf from '@tensorflow/tfjs-core';
import { keyValueHeadsOfAll, type Architecture } from '../models/architecture.js';
import { linear } from '../models/ops.js';
import type { OtherKeys } from './adapterConfig.js';
import type { TensorOf, TensorSpec } from './method.js';

/** The only tensor of a saved prompt adapter. */
export const PROMPT_KEY = 'prompt_embeddings';

/** The key and value heads, which PEFT's prefix has in one tensor. @throws InputError if layers have different ones */
export function prefixHeads(architecture: Architecture) {
  const { keyValueHeads, headDim } = keyValueHeadsOfAll(architecture, 'method.peft_type');
  return { numLayers: architecture.layers.length, keyValueHeads, headDim, width: keyValueHeads * headDim };
}

/** Sizes that PEFT writes into every prompt config. For PREFIX_TUNING, `token_dim` and heads are those of the keys. */
export function promptSizes(architecture: Architecture, kind: 'tokens' | 'keyValues'): Record<string, unknown> {
  const { hiddenSize, layers } = architecture;
  const prefix = kind === 'keyValues' ? prefixHeads(architecture) : null;
  return {
    token_dim: prefix?.width ?? hiddenSize,
    num_attention_heads: prefix?.keyValueHeads ?? layers[0]!.attention.heads,
    num_layers: layers.length,
    num_transformer_submodules: 1,
  };
}

/** The file has the finished prompt, so that neither its sizes nor how it was initialized matter. */
export function otherPromptKeys(...ofMethod: string[]): OtherKeys {
  const sizes = ['token_dim', 'num_transformer_submodules', 'num_attention_heads', 'num_layers'];
  return { withoutEffect: [...sizes, ...ofMethod], refused: ['modules_to_save'] };
}

/** One linear layer of an encoder, initialized like torch.nn.Linear. */
export function encoderLayer(name: string, inFeatures: number, outFeatures: number): TensorSpec[] {
  const bound = 1 / Math.sqrt(inFeatures);
  return [
    { key: `${name}.weight`, shape: [outFeatures, inFeatures], init: { kind: 'uniform', bound } },
    { key: `${name}.bias`, shape: [outFeatures], init: { kind: 'uniform', bound } },
  ];
}

export function applyEncoderLayer(name: string, x: tf.Tensor2D, tensorOf: TensorOf): tf.Tensor2D {
  return tf.add(linear(x, tensorOf(`${name}.weight`) as tf.Tensor2D), tensorOf(`${name}.bias`));
}
