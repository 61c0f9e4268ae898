// The activation functions of feed-forward networks, by Transformers' names (ACT2FN), with hand-written gradients that
// keep only their input. Called by block.ts and the bottleneck adapter; a family's config.json chooses one by name.
import * as tf from '@tensorflow/tfjs-core';
import {
  ACTIVATION,
  ACTIVATION_GRADIENT,
  GATED_ACTIVATION,
  GATED_ACTIVATION_GRADIENT,
  type ActivationAttributes,
  type CurveName,
} from '../webgpu/kernels/activation.js';
import { runKernel } from '../webgpu/kernels/register.js';
import { isWebgpu } from '../webgpu/tfjsWebgpu.js';
import { withGradient } from './ops.js';

interface Curve {
  value(x: tf.Tensor): tf.Tensor;
  /** The derivative at x, and the value from what both have in common. */
  derivative(x: tf.Tensor): { slope: tf.Tensor; value(): tf.Tensor };
}

/** x σ(scale x): SiLU with scale 1 (arXiv:1702.03118), the fast form of GELU with 1.702. */
function sigmoidLinear(scale: number): Curve {
  const gate = (x: tf.Tensor) => tf.sigmoid(scale === 1 ? x : tf.mul(x, scale));
  return {
    value: x => tf.mul(x, gate(x)),
    derivative: x => {
      const sigmoid = gate(x);
      const value = tf.mul(x, sigmoid);
      // σ + scale x σ (1 - σ)
      const rest = tf.mul(value, tf.sub(1, sigmoid));
      return { slope: tf.add(sigmoid, scale === 1 ? rest : tf.mul(rest, scale)), value: () => value };
    },
  };
}

const GELU_SCALE = Math.sqrt(2 / Math.PI);
const GELU_CUBIC = 0.044715;

const tanhOfGelu = (x: tf.Tensor) =>
  tf.tanh(tf.mul(tf.add(x, tf.mul(tf.mul(tf.square(x), x), GELU_CUBIC)), GELU_SCALE));

/** GELU in its tanh form (arXiv:1606.08415). */
const GELU_TANH: Curve = {
  value: x => tf.mul(tf.mul(x, 0.5), tf.add(tanhOfGelu(x), 1)),
  derivative: x => {
    const t = tanhOfGelu(x);
    const half = tf.mul(x, 0.5);
    const inner = tf.mul(tf.add(tf.mul(tf.square(x), 3 * GELU_CUBIC), 1), GELU_SCALE);
    const slope = tf.add(tf.mul(tf.add(t, 1), 0.5), tf.mul(tf.mul(half, tf.sub(1, tf.square(t))), inner));
    return { slope, value: () => tf.mul(half, tf.add(t, 1)) };
  },
};

/** The normal distribution function. */
const normal = (x: tf.Tensor) => tf.mul(tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1), 0.5);

/** GELU: x Φ(x) (arXiv:1606.08415). */
const GELU: Curve = {
  value: x => tf.mul(x, normal(x)),
  derivative: x => {
    const share = normal(x);
    const density = tf.mul(tf.exp(tf.mul(tf.square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
    return { slope: tf.add(share, tf.mul(x, density)), value: () => tf.mul(x, share) };
  },
};

const RELU: Curve = {
  value: x => tf.relu(x),
  derivative: x => ({ slope: tf.step(x), value: () => tf.relu(x) }),
};

/** relu(x)² (arXiv:2109.08668). */
const RELU_SQUARED: Curve = {
  value: x => tf.square(tf.relu(x)),
  derivative: x => {
    const positive = tf.relu(x);
    return { slope: tf.mul(positive, 2), value: () => tf.square(positive) };
  },
};

const TANH: Curve = {
  value: x => tf.tanh(x),
  derivative: x => {
    const value = tf.tanh(x);
    return { slope: tf.sub(1, tf.square(value)), value: () => value };
  },
};

const SILU = sigmoidLinear(1);

/** By Transformers' names, several of which are the same function. */
const CURVES = {
  silu: SILU,
  swish: SILU,
  quick_gelu: sigmoidLinear(1.702),
  gelu: GELU,
  gelu_python: GELU,
  gelu_new: GELU_TANH,
  gelu_pytorch_tanh: GELU_TANH,
  gelu_python_tanh: GELU_TANH,
  gelu_fast: GELU_TANH,
  gelu_accurate: GELU_TANH,
  relu: RELU,
  relu2: RELU_SQUARED,
  tanh: TANH,
} satisfies Record<string, Curve>;

export type ActivationName = keyof typeof CURVES;

export const ACTIVATION_NAMES = Object.keys(CURVES) as ActivationName[];

/** The first name of the same function. */
export function canonicalActivation(name: ActivationName): ActivationName {
  return ACTIVATION_NAMES.find(other => CURVES[other] === CURVES[name])!;
}

/** Runs a kernel of the curve on WebGPU. */
function run<Result extends tf.Tensor | tf.Tensor[]>(kernel: string, name: ActivationName, inputs: object): Result {
  const attributes: ActivationAttributes = { curve: canonicalActivation(name) as CurveName };
  return runKernel(kernel, inputs, attributes);
}

/** The activation of x, element by element. */
export function activate<T extends tf.Tensor>(name: ActivationName, x: T): T {
  const curve: Curve = CURVES[name];
  return withGradient([x], (save, x) => {
    save([x]);
    return {
      value: (isWebgpu() ? run<tf.Tensor>(ACTIVATION, name, { x }) : curve.value(x)) as T,
      gradFunc: (dy, [x]) =>
        isWebgpu() ? run(ACTIVATION_GRADIENT, name, { x, dy }) : tf.mul(dy, curve.derivative(x!).slope),
    };
  });
}

/** activation(gate) * up, the middle of a gated feed-forward network (arXiv:2002.05202). */
export function activateGated<T extends tf.Tensor>(name: ActivationName, gate: T, up: T): T {
  const curve: Curve = CURVES[name];
  return withGradient([gate, up], (save, gate, up) => {
    save([gate, up]);
    return {
      value: (isWebgpu() ? run<tf.Tensor>(GATED_ACTIVATION, name, { gate, up }) : tf.mul(curve.value(gate), up)) as T,
      gradFunc: (dy, [gate, up]) => {
        if (isWebgpu()) return run<tf.Tensor[]>(GATED_ACTIVATION_GRADIENT, name, { gate, up, dy });
        const { slope, value } = curve.derivative(gate!);
        return [tf.mul(tf.mul(dy, up!), slope), tf.mul(dy, value())];
      },
    };
  });
}
