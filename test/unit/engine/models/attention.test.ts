// Blocked attention with its hand-written gradient, compared with the plain formula differentiated by tfjs.
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { openBackend } from '../../../../extension/src/engine/backend/openBackend.js';
import { createRng } from '../../../../extension/src/engine/data/rng.js';
import { attention } from '../../../../extension/src/engine/models/ops.js';

const rng = createRng('attention');
const random = (...shape: [number, number, number, number]): tf.Tensor4D =>
  tf.tensor(
    Float32Array.from({ length: tf.util.sizeFromShape(shape) }, () => rng.normal()),
    shape,
  );

/** Every query attends to the keys before the sequence and to those of the sequence up to itself. */
function causalBias(batch: number, seq: number, keys: number): tf.Tensor {
  const seen = Float32Array.from({ length: seq * keys }, (_, i) =>
    i % keys <= keys - seq + Math.floor(i / keys) ? 0 : -1e9,
  );
  return tf.tile(tf.tensor(seen, [1, 1, 1, seq, keys]), [batch, 1, 1, 1, 1]);
}

/** Not the usual 1 / sqrt(headDim). */
const SCALE = 0.3;

function plainAttention(q: tf.Tensor4D, k: tf.Tensor4D, v: tf.Tensor4D, bias: tf.Tensor): tf.Tensor4D {
  const [batch, heads, seq] = q.shape;
  const [, kvHeads, keys] = k.shape;
  const groups = heads / kvHeads;
  const repeated = (x: tf.Tensor) =>
    tf.concat(
      tf.split(x, kvHeads, 1).flatMap(head => Array.from({ length: groups }, () => head)),
      1,
    ) as tf.Tensor4D;
  const scores = tf.mul(tf.matMul(q, repeated(k), false, true), SCALE);
  const p = tf.softmax(tf.add(scores, tf.reshape(bias, [batch, 1, seq, keys])));
  return tf.matMul(p, repeated(v)) as tf.Tensor4D;
}

beforeAll(async () => {
  await openBackend({ backend: 'tensorflow', threads: null, onWarning: () => {} });
});

describe.each([
  ['recomputed', false],
  ['kept', true],
])('attention, probabilities %s', (_name, keepsProbabilities) => {
  const ours = (q: tf.Tensor4D, k: tf.Tensor4D, v: tf.Tensor4D, bias: tf.Tensor) =>
    attention(q, k, v, bias, SCALE, keepsProbabilities);

  test.each([
    { seq: 5, keys: 5, heads: 4, kvHeads: 2 },
    { seq: 128, keys: 128, heads: 2, kvHeads: 2 },
    { seq: 300, keys: 300, heads: 4, kvHeads: 2 },
    { seq: 260, keys: 273, heads: 6, kvHeads: 2 },
  ])('$seq queries on $keys keys, $heads heads on $kvHeads', ({ seq, keys, heads, kvHeads }) => {
    const before = tf.memory().numTensors;
    tf.tidy(() => {
      const inputs = [random(2, heads, seq, 4), random(2, kvHeads, keys, 4), random(2, kvHeads, keys, 4)];
      const weight = random(2, heads, seq, 4);
      const bias = causalBias(2, seq, keys);
      const run = (f: (q: tf.Tensor4D, k: tf.Tensor4D, v: tf.Tensor4D, bias: tf.Tensor) => tf.Tensor4D) =>
        tf.valueAndGrads((q, k, v) =>
          tf.sum(tf.mul(f(q as tf.Tensor4D, k as tf.Tensor4D, v as tf.Tensor4D, bias), weight)),
        )(inputs);
      const expected = run(plainAttention);
      const actual = run(ours);
      ['q', 'k', 'v'].forEach((name, i) => {
        const off = tf.max(tf.abs(tf.sub(actual.grads[i]!, expected.grads[i]!))).dataSync()[0]!;
        expect(off, `gradient of ${name}`).toBeLessThan(1e-4);
      });
      const [q, k, v] = inputs as [tf.Tensor4D, tf.Tensor4D, tf.Tensor4D];
      const off = tf.max(tf.abs(tf.sub(ours(q, k, v, bias), plainAttention(q, k, v, bias)))).dataSync()[0]!;
      expect(off, 'value').toBeLessThan(1e-5);
    });
    expect(tf.memory().numTensors).toBe(before);
  });
});
