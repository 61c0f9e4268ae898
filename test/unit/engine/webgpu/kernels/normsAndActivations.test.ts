// Norms, rotation and activations: values and gradients are those of plain ops.
import * as tf from '@tensorflow/tfjs-core';
import { describe, it } from 'vitest';
import { createRng } from '../../../../../extension/src/engine/data/rng.js';
import {
  activate,
  activateGated,
  ACTIVATION_NAMES,
  type ActivationName,
} from '../../../../../extension/src/engine/models/activations.js';
import { layerNorm, rmsNorm, rotate } from '../../../../../extension/src/engine/models/ops.js';
import { expectEqual, random } from './againstPlainOps.js';

const plainRmsNorm = (x: tf.Tensor, w: tf.Tensor) =>
  tf.mul(tf.mul(x, tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), 1e-5))), w);

describe.each([[[1, 1]], [[3, 5]], [[2, 63]], [[65, 64]], [[2, 3, 2, 65]], [[2, 1300]]])('rows of %j', shape => {
  const width = shape.at(-1)!;

  it('rmsNorm', () => expectEqual([shape, [width]], (x, w) => rmsNorm(x!, w!, 1e-5), plainRmsNorm as never));

  it('layerNorm', () =>
    expectEqual(
      [shape, [width], [width]],
      // Rows of one value have no variance.
      (x, w, b) => layerNorm(x!, w!, b!, 1e-2),
      (x, w, b) => {
        const { mean, variance } = tf.moments(x!, -1, true);
        return tf.add(tf.mul(tf.mul(tf.sub(x!, mean), tf.rsqrt(tf.add(variance, 1e-2))), w!), b!);
      },
    ));
});

it('a norm whose weight is frozen', () =>
  expectEqual(
    [[3, 65]],
    x => rmsNorm(x!, random([65], 'weight'), 1e-5),
    x => plainRmsNorm(x!, random([65], 'weight')),
  ));

it.each([
  [1, 1, 1, 2],
  [2, 3, 2, 6],
  [2, 65, 3, 10],
])('rotation of [%i, %i, %i, %i]', (batch, seq, heads, headDim) => {
  // Scaled, as YaRN does.
  const table = (f: (angle: number) => number) => {
    const rng = createRng('angles');
    const size: [number, number, number, number] = [batch, seq, 1, headDim / 2];
    const values = Float32Array.from({ length: tf.util.sizeFromShape(size) }, () => 1.3 * f(rng.normal()));
    return tf.concat([tf.tensor(values, size), tf.tensor(values, size)], 3) as tf.Tensor4D;
  };
  return expectEqual(
    [[batch, seq, heads, headDim]],
    x => rotate(x as tf.Tensor4D, { cos: table(Math.cos), sin: table(Math.sin) }),
    x => {
      const [a, b] = tf.split(x!, 2, 3) as [tf.Tensor, tf.Tensor];
      return tf.add(tf.mul(x!, table(Math.cos)), tf.mul(tf.concat([tf.neg(b), a], 3), table(Math.sin)));
    },
  );
});

const gelu = (x: tf.Tensor) => tf.mul(tf.mul(0.5, x), tf.add(1, tf.erf(tf.div(x, Math.SQRT2))));
const geluTanh = (x: tf.Tensor) => {
  const inner = tf.mul(Math.sqrt(2 / Math.PI), tf.add(x, tf.mul(0.044715, tf.mul(x, tf.square(x)))));
  return tf.mul(tf.mul(0.5, x), tf.add(1, tf.tanh(inner)));
};
const silu = (x: tf.Tensor) => tf.mul(x, tf.sigmoid(x));

const PLAIN: Record<ActivationName, (x: tf.Tensor) => tf.Tensor> = {
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

/** Far from 0 too. */
const wide = (x: tf.Tensor) => tf.mul(x, 3);

describe.each(ACTIVATION_NAMES)('%s', name => {
  it('plain', () =>
    expectEqual(
      [[3, 65]],
      x => activate(name, wide(x!)),
      x => PLAIN[name](wide(x!)),
    ));

  it('gated', () =>
    expectEqual(
      [
        [3, 21],
        [3, 21],
      ],
      (gate, up) => activateGated(name, wide(gate!), up!),
      (gate, up) => tf.mul(PLAIN[name](wide(gate!)), up!),
    ));
});

it.each(ACTIVATION_NAMES)('%s of values that overflow exp', name =>
  expectEqual(
    [[1, 33]],
    x => tf.div(activate(name, tf.mul(x!, 300)), 300),
    x => tf.div(PLAIN[name](tf.mul(x!, 300)), 300),
  ),
);
