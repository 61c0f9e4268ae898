// Models of published shapes with random weights, for measurements: speed and memory don't depend on the values. Nothing is read from
// the disk.
import * as tf from '@tensorflow/tfjs-core';
import type { UsedWeights } from '../../protocol/engineConfig.js';
import { float32ToHalf } from '../files/halfFloat.js';
import { WeightBlocks } from '../files/weightBlocks.js';
import { sizeOf, type Architecture } from '../models/architecture.js';
import { CausalLm } from '../models/causalLm.js';
import { QuantizedWeight, uploaded, type Weight } from '../models/quantizedWeight.js';
import { architectureOf } from '../models/registry.js';
import { weightLayouts } from '../models/weightLayouts.js';

/** The shapes of https://huggingface.co/HuggingFaceTB/SmolLM2-135M and SmolLM2-1.7B, from their config.json. */
const SHAPES = {
  'SmolLM2-135M': {
    hidden_size: 576,
    intermediate_size: 1536,
    num_hidden_layers: 30,
    num_attention_heads: 9,
    num_key_value_heads: 3,
    rope_theta: 100000,
  },
  'SmolLM2-1.7B': {
    hidden_size: 2048,
    intermediate_size: 8192,
    num_hidden_layers: 24,
    num_attention_heads: 32,
    num_key_value_heads: 32,
    rope_theta: 130000,
  },
} as const;

export type ShapeName = keyof typeof SHAPES;

export function architectureLike(shape: ShapeName): Architecture {
  const config = {
    model_type: 'llama',
    vocab_size: 49152,
    max_position_embeddings: 8192,
    rms_norm_eps: 1e-5,
    tie_word_embeddings: true,
    ...SHAPES[shape],
  };
  return architectureOf(config, 'config.json');
}

/** The caller disposes it. */
export function modelLike(shape: ShapeName, settings: UsedWeights): CausalLm {
  return randomModel(architectureLike(shape), settings);
}

/** The caller disposes it. */
export function randomModel(architecture: Architecture, settings: UsedWeights): CausalLm {
  const stored = architecture.parameters.map(({ shape }) => ({ byteLength: 4 * sizeOf(shape) }));
  const layouts = weightLayouts(architecture, stored, settings);
  const bits = bitStream();
  const weights = architecture.parameters.map(({ name, shape, kind }): [string, Weight] => {
    const layout = layouts.get(name);
    if (!layout) {
      const middle = kind === 'norm' ? 1 : 0;
      const values = new Float32Array(sizeOf(shape)).map(() => middle + (bits() / 2 ** 31) * SCALE);
      return [name, uploaded(values, [...shape], 'float32')];
    }
    const blocks = new WeightBlocks(layout.format, layout.shape);
    for (let i = 0; i < blocks.codes.length; i++) blocks.codes[i] = bits();
    const [scale] = float32ToHalf(Float32Array.of(SCALE / 8));
    for (const part of blocks.parts) part.fill((scale! << 16) | scale!);
    return [name, QuantizedWeight.of(blocks, layout)];
  });
  return new CausalLm(architecture, new Map(weights));
}

/** Of weights, so that activations stay finite. */
const SCALE = 0.03;

/** Xorshift (Marsaglia 2003): int32 numbers, equally distributed; far faster than the engine's generator. */
function bitStream(): () => number {
  let state = 2463534242;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state;
  };
}

/** Waits until everything that was recorded so far is computed. */
export async function finished(tensor: tf.Tensor): Promise<void> {
  const one = tf.tidy(() => tf.slice(tf.reshape(tensor, [-1]), 0, 1));
  await one.data();
  one.dispose();
}
