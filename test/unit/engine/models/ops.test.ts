// Operations with hand-written gradients, compared with the same function in plain ops, differentiated by
// TensorFlow.js.
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { openBackend } from '../../../../extension/src/engine/backend/openBackend.js';
import { createRng } from '../../../../extension/src/engine/data/rng.js';
import {
  activate,
  activateGated,
  ACTIVATION_NAMES,
  type ActivationName,
} from '../../../../extension/src/engine/models/activations.js';
import { gatherRows, layerNorm, linear, rmsNorm, rotate } from '../../../../extension/src/engine/models/ops.js';

type Op = (...inputs: tf.Tensor[]) => tf.Tensor;

function random(shape: number[], seed: number): tf.Tensor {
  const rng = createRng(seed);
  return tf.tensor(
    Float32Array.from({ length: tf.util.sizeFromShape(shape) }, () => rng.normal()),
    shape,
  );
}

/** Angles that are equal in both halves, as in rotary tables. */
const angles = () => {
  const half = random([2, 3, 1, 2], 9);
  return tf.concat([half, half], 3) as tf.Tensor4D;
};
const rotateSlowly = (x: tf.Tensor): tf.Tensor => {
  const [a, b] = tf.split(x, 2, 3) as [tf.Tensor, tf.Tensor];
  return tf.add(tf.mul(x, tf.cos(angles())), tf.mul(tf.concat([tf.neg(b), a], 3), tf.sin(angles())));
};

const gelu = (x: tf.Tensor) => tf.mul(tf.mul(0.5, x), tf.add(1, tf.erf(tf.div(x, Math.SQRT2))));
const geluTanh = (x: tf.Tensor) => {
  const inner = tf.mul(Math.sqrt(2 / Math.PI), tf.add(x, tf.mul(0.044715, tf.pow(x, 3))));
  return tf.mul(tf.mul(0.5, x), tf.add(1, tf.tanh(inner)));
};
const silu = (x: tf.Tensor) => tf.mul(x, tf.sigmoid(x));

/** As Transformers' ACT2FN defines them. */
const ACTIVATIONS: Record<ActivationName, (x: tf.Tensor) => tf.Tensor> = {
  silu,
  swish: silu,
  quick_gelu: x => tf.mul(x, tf.sigmoid(tf.mul(x, 1.702))),
  gelu,
  gelu_python: gelu,
  gelu_new: geluTanh,
  gelu_pytorch_tanh: geluTanh,
  gelu_python_tanh: geluTanh,
  gelu_fast: geluTanh,
  gelu_accurate: geluTanh,
  relu: x => tf.relu(x),
  relu2: x => tf.square(tf.relu(x)),
  tanh: x => tf.tanh(x),
};

const cases: [string, number[][], Op, Op][] = [
  ...ACTIVATION_NAMES.flatMap((name): [string, number[][], Op, Op][] => [
    [`activate ${name}`, [[3, 4]], x => activate(name, x!), x => ACTIVATIONS[name](x!)],
    [
      `activateGated ${name}`,
      [
        [3, 4],
        [3, 4],
      ],
      (gate, up) => activateGated(name, gate!, up!),
      (gate, up) => tf.mul(ACTIVATIONS[name](gate!), up!),
    ],
  ]),
  [
    'rmsNorm',
    [[3, 5], [5]],
    (x, w) => rmsNorm(x!, w!, 1e-5),
    (x, w) => tf.mul(tf.mul(x!, tf.rsqrt(tf.add(tf.mean(tf.square(x!), -1, true), 1e-5))), w!),
  ],
  [
    'layerNorm',
    [[3, 5], [5], [5]],
    (x, w, b) => layerNorm(x!, w!, b!, 1e-5),
    (x, w, b) => {
      const { mean, variance } = tf.moments(x!, -1, true);
      return tf.add(tf.mul(tf.mul(tf.sub(x!, mean), tf.rsqrt(tf.add(variance, 1e-5))), w!), b!);
    },
  ],
  [
    // Scaled, as YaRN does.
    'rotate',
    [[2, 3, 2, 4]],
    x => rotate(x as tf.Tensor4D, { cos: tf.mul(1.3, tf.cos(angles())), sin: tf.mul(1.3, tf.sin(angles())) }),
    x => tf.mul(1.3, rotateSlowly(x!)),
  ],
  [
    'gatherRows, a row twice',
    [[4, 3]],
    x => gatherRows(x as tf.Tensor2D, tf.tensor1d([2, 0, 2], 'int32')),
    x =>
      tf.matMul(
        tf.tensor2d([
          [0, 0, 1, 0],
          [1, 0, 0, 0],
          [0, 0, 1, 0],
        ]),
        x as tf.Tensor2D,
      ),
  ],
  [
    'linear',
    [
      [3, 4],
      [2, 4],
    ],
    (x, w) => linear(x as tf.Tensor2D, w as tf.Tensor2D),
    (x, w) => tf.matMul(x as tf.Tensor2D, tf.transpose(w as tf.Tensor2D)),
  ],
  [
    'linear as Conv1D',
    [
      [3, 4],
      [4, 2],
    ],
    (x, w) => linear(x as tf.Tensor2D, w as tf.Tensor2D, true),
    (x, w) => tf.matMul(x as tf.Tensor2D, w as tf.Tensor2D),
  ],
];

describe.each(['tensorflow', 'wasm'] as const)('on %s', backend => {
  beforeAll(async () => {
    await openBackend({ backend, threads: null, onWarning: () => {} });
  });

  it.each(cases)('%s', (_, shapes, ours, plain) => {
    const before = tf.memory().numTensors;
    tf.tidy(() => {
      const inputs = shapes.map(random);
      const evaluate = (op: Op) => {
        const value = op(...inputs);
        const dy = random(value.shape, 77);
        const gradients = tf.grads((...args: tf.Tensor[]) => tf.sum(tf.mul(op(...args), dy)))(inputs);
        return [value, ...gradients].map(tensor => [...tensor.dataSync()]);
      };
      const expected = evaluate(plain);
      evaluate(ours).forEach((values, i) => {
        const off = values.map((value, j) => Math.abs(value - expected[i]![j]!) / (1 + Math.abs(expected[i]![j]!)));
        const worst = off.reduce((most, value) => Math.max(most, value));
        const where = `${i === 0 ? 'value' : `gradient ${i}`}[${off.indexOf(worst)}]`;
        expect(worst, where).toBeLessThan(1e-5);
      });
    });
    expect(tf.memory().numTensors).toBe(before);
  });
});
