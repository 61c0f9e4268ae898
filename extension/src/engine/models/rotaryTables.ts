// Rotary tables: cos and sin of every position that a sequence may use. They must never be read beyond their end:
// `usablePositions` is the only source of how long a sequence may be. Called by causalLm.ts, and by the code that
// limits rows, prompts and answers.
import * as tf from '@tensorflow/tfjs-core';
import type { Architecture, RotaryFrequencies } from './architecture.js';

/** Maximum positions in a rotary table: 16 MB each at headDim 128. */
const MAX_TABLE_POSITIONS = 32768;

/**
 * Maximum length of a sequence, virtual tokens and prefix included: the model's positions, as far as the tables reach.
 */
export function usablePositions({ maxPositions, layers }: Architecture): number {
  const rotates = layers.some(({ attention }) => attention.rotary);
  return rotates ? Math.min(maxPositions, MAX_TABLE_POSITIONS) : maxPositions;
}

/** The different rotations of a model's layers. */
export function rotationsOf({ layers }: Architecture): RotaryFrequencies[] {
  const all = layers.flatMap(({ attention }) => attention.rotary ?? []);
  return [...new Set(all)];
}

/** Bytes of a model's rotary tables with `positions` positions. */
export function rotaryTableBytes(architecture: Architecture, positions = usablePositions(architecture)): number {
  const widths = rotationsOf(architecture).map(({ inverseFrequencies }) => 2 * inverseFrequencies.length);
  return widths.reduce((sum, headDim) => sum + 2 * 4 * positions * headDim, 0);
}

export interface RotaryTables {
  cos: tf.Tensor2D;
  sin: tf.Tensor2D;
}

/**
 * cos and sin times the rotation's scale, [positions, headDim], equal in both halves of the last dimension. The caller
 * disposes them.
 */
export function rotaryTables({ inverseFrequencies, scale }: RotaryFrequencies, positions: number): RotaryTables {
  const half = inverseFrequencies.length;
  const headDim = 2 * half;
  const cos = new Float32Array(positions * headDim);
  const sin = new Float32Array(positions * headDim);
  for (let position = 0; position < positions; position++) {
    for (let i = 0; i < half; i++) {
      const angle = position * inverseFrequencies[i]!;
      const at = position * headDim + i;
      cos[at] = cos[at + half] = scale * Math.cos(angle);
      sin[at] = sin[at + half] = scale * Math.sin(angle);
    }
  }
  const table = (values: Float32Array) => tf.keep(tf.tensor2d(values, [positions, headDim]));
  return { cos: table(cos), sin: table(sin) };
}
