// Attention in tiles and its gradient, compared with the plain formula.
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { attention } from '../../../../../extension/src/engine/models/ops.js';
import { expectEqual, open, random, type Op } from './againstPlainOps.js';

/** Not the usual 1 / sqrt(headDim). */
const SCALE = 0.3;

interface Sizes {
  batch: number;
  heads: number;
  kvHeads: number;
  seq: number;
  keys: number;
  headDim: number;
  /** Keys that a query attends to. */
  window?: number;
}

/** Each query attends to the keys before the sequence and to those up to itself, within the window. */
function biasOf({ batch, seq, keys, window = Infinity }: Sizes): tf.Tensor {
  const seen = Float32Array.from({ length: batch * seq * keys }, (_, i) => {
    const distance = keys - seq + (Math.floor(i / keys) % seq) - (i % keys);
    return distance >= 0 && distance < window ? 0 : -1e9;
  });
  return tf.tensor(seen, [batch, 1, 1, seq, keys]);
}

function plainAttention(q: tf.Tensor, k: tf.Tensor, v: tf.Tensor, sizes: Sizes): tf.Tensor {
  const { batch, heads, kvHeads, seq, keys } = sizes;
  const repeated = (x: tf.Tensor) =>
    tf.concat(
      Array.from({ length: heads }, (_, head) =>
        tf.slice(x, [0, Math.floor((head * kvHeads) / heads), 0, 0], [-1, 1, -1, -1]),
      ),
      1,
    );
  const scores = tf.mul(tf.matMul(q, repeated(k), false, true), SCALE);
  return tf.matMul(tf.softmax(tf.add(scores, tf.reshape(biasOf(sizes), [batch, 1, seq, keys]))), repeated(v));
}

function compared(sizes: Sizes): { shapes: number[][]; ours: Op; plain: Op } {
  const { batch, heads, kvHeads, seq, keys, headDim } = sizes;
  return {
    shapes: [
      [batch, heads, seq, headDim],
      [batch, kvHeads, keys, headDim],
      [batch, kvHeads, keys, headDim],
    ],
    ours: (q, k, v) => attention(q as tf.Tensor4D, k as tf.Tensor4D, v as tf.Tensor4D, biasOf(sizes), SCALE),
    plain: (q, k, v) => plainAttention(q!, k!, v!, sizes),
  };
}

it.each<Sizes>([
  { batch: 1, heads: 1, kvHeads: 1, seq: 1, keys: 1, headDim: 1 },
  { batch: 2, heads: 4, kvHeads: 2, seq: 5, keys: 5, headDim: 4 },
  { batch: 1, heads: 6, kvHeads: 2, seq: 35, keys: 35, headDim: 7 },
  { batch: 2, heads: 2, kvHeads: 2, seq: 33, keys: 40, headDim: 16 },
  { batch: 1, heads: 2, kvHeads: 1, seq: 65, keys: 65, headDim: 33 },
  { batch: 1, heads: 2, kvHeads: 2, seq: 70, keys: 70, headDim: 8, window: 3 },
  { batch: 1, heads: 1, kvHeads: 1, seq: 3, keys: 3, headDim: 256 },
  { batch: 1, heads: 3, kvHeads: 1, seq: 2, keys: 300, headDim: 12 },
  // A token after many, of a cache that isn't full.
  { batch: 2, heads: 4, kvHeads: 2, seq: 1, keys: 417, headDim: 8 },
  { batch: 1, heads: 4, kvHeads: 2, seq: 1, keys: 417, headDim: 8, window: 40 },
])('attention of %j', sizes => {
  const { shapes, ours, plain } = compared(sizes);
  return expectEqual(shapes, ours, plain, 2e-5);
});

it('with one bias for all sequences and scores of some hundreds', () => {
  const sizes = { batch: 2, heads: 2, kvHeads: 1, seq: 9, keys: 9, headDim: 4 };
  const { shapes, plain } = compared(sizes);
  const large: (op: Op) => Op = op => (q, k, v) => op(tf.mul(q!, 30), tf.mul(k!, 10), v!);
  const ours: Op = (q, k, v) => {
    const bias = tf.slice(biasOf(sizes), 0, 1);
    return attention(q as tf.Tensor4D, k as tf.Tensor4D, v as tf.Tensor4D, bias, SCALE);
  };
  return expectEqual(shapes, large(ours), large(plain), 1e-3);
});

it('a query that sees no key has a value and gradients of zero', async () => {
  await open('webgpu');
  const results = tf.tidy(() => {
    const bias = tf.fill([1, 1, 1, 2, 3], -1e9);
    const inputs = [2, 3, 3].map((rows, i) => random([1, 1, rows, 4], i));
    const f = (...[q, k, v]: tf.Tensor[]) =>
      attention(q as tf.Tensor4D, k as tf.Tensor4D, v as tf.Tensor4D, bias, SCALE);
    return [f(...inputs), ...tf.grads((...inputs) => tf.sum(f(...inputs)))(inputs)];
  });
  for (const result of results) expect([...(await result.data())].every(value => value === 0)).toBe(true);
  tf.dispose(results);
});
