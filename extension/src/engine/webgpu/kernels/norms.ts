// RMSNorm (arXiv:1910.07467) and LayerNorm (arXiv:1607.06450) over the last dimension with their weights, and their gradients for the
// input, in one pass each: x and dy are [..., width], weight and bias [width].
import * as tf from '@tensorflow/tfjs-core';
import { bindingsOf, dispatch, emptied, f32, output, u32, type Shader } from '../shader.js';
import { register, registerGradient, runKernel } from './register.js';
import { reduction, rowInvocations, rowMain, workgroupsForRows } from './rows.js';

export const RMS_NORM = 'RmsNorm';
export const LAYER_NORM = 'LayerNorm';
const RMS_NORM_GRADIENT = 'RmsNormGradient';
const LAYER_NORM_GRADIENT = 'LayerNormGradient';

export interface NormInputs {
  x: tf.Tensor;
  weight: tf.Tensor;
  /** LayerNorm only. */
  bias?: tf.Tensor;
}

export interface NormAttributes {
  epsilon: number;
}

interface GradientInputs {
  x: tf.Tensor;
  weight: tf.Tensor;
  dy: tf.Tensor;
}

/** A loop over a row's columns; `i` is the place in x. */
type Loop = (body: string) => string;

interface Body {
  inputs: readonly string[];
  /** Functions, for a number of invocations. */
  functions(invocations: number): string;
  /** Sets what the result of a column needs. */
  prepare(loop: Loop): string;
  /** Expression of the result at `i` and `column`. */
  result: string;
}

const mean = (loop: Loop) => `var part = 0.0;
    ${loop('part += x[i];')}
    let mean = sum(part, local) / width;`;

const FORWARD_RMS: Body = {
  inputs: ['x', 'weight'],
  functions: n => reduction('sum', 'f32', n),
  prepare: loop => `var squares = 0.0;
    ${loop('squares += x[i] * x[i];')}
    let inverse = inverseSqrt(sum(squares, local) / width + params.epsilon);`,
  result: 'x[i] * inverse * weight[column]',
};

// With g = dy weight and u = x inverse, dx = (g - u mean(g u)) inverse.
const BACKWARD_RMS: Body = {
  inputs: ['x', 'weight', 'dy'],
  functions: n => reduction('sum', 'vec2f', n),
  prepare: loop => `var parts = vec2f();
    ${loop('parts += vec2f(x[i], dy[i] * weight[column]) * x[i];')}
    let sums = sum(parts, local) / width;
    let inverse = inverseSqrt(sums.x + params.epsilon);
    let factor = sums.y * inverse * inverse;`,
  result: '(dy[i] * weight[column] - x[i] * factor) * inverse',
};

const FORWARD_LAYER: Body = {
  inputs: ['x', 'weight', 'bias'],
  functions: n => reduction('sum', 'f32', n),
  prepare: loop => `${mean(loop)}
    var squares = 0.0;
    ${loop('let centered = x[i] - mean; squares += centered * centered;')}
    let inverse = inverseSqrt(sum(squares, local) / width + params.epsilon);`,
  result: '(x[i] - mean) * inverse * weight[column] + bias[column]',
};

// With g = dy weight and u = (x - mean) inverse, dx = (g - mean(g) - u mean(g u)) inverse.
const BACKWARD_LAYER: Body = {
  inputs: ['x', 'weight', 'dy'],
  functions: n => `${reduction('sum', 'f32', n)}\n${reduction('sums', 'vec3f', n)}`,
  prepare: loop => `${mean(loop)}
    var parts = vec3f();
    ${loop(`let centered = x[i] - mean;
      let g = dy[i] * weight[column];
      parts += vec3f(centered * centered, g, g * centered);`)}
    let means = sums(parts, local) / width;
    let inverse = inverseSqrt(means.x + params.epsilon);
    let factor = means.z * inverse * inverse;`,
  result: '(dy[i] * weight[column] - means.y - (x[i] - mean) * factor) * inverse',
};

function shaderOf(kernelName: string, { inputs, functions, prepare, result }: Body, invocations: number): Shader {
  const loop: Loop = body => `for (var column = local; column < params.width; column += ${invocations}u) {
      let i = row * params.width + column;
      ${body}
    }`;
  return {
    key: `${kernelName} ${invocations}`,
    code: () => `${bindingsOf({ result: 'f32' }, Object.fromEntries(inputs.map(name => [name, 'f32'])), [
      'rows: u32',
      'width: u32',
      'epsilon: f32',
    ])}
  ${functions(invocations)}
  ${rowMain(invocations)}
    let width = f32(params.width);
    ${prepare(loop)}
    ${loop(`result[i] = ${result};`)}
  }`,
  };
}

/** Of x's shape. */
function run(kernelName: string, body: Body, inputs: object, epsilon: number): tf.TensorInfo {
  const tensors = inputs as Record<string, tf.Tensor>;
  const { shape } = tensors.x!;
  const result = output(shape);
  const width = shape.at(-1)!;
  const size = tf.util.sizeFromShape(shape);
  if (size === 0) return emptied(result);
  const rows = size / width;
  dispatch(shaderOf(kernelName, body, rowInvocations(width)), {
    outputs: [result],
    inputs: body.inputs.map(name => tensors[name]!),
    parameters: [u32(rows), u32(width), f32(epsilon)],
    workgroups: workgroupsForRows(rows),
  });
  return result;
}

/** Sum over all dimensions but the last. */
function columnSums(x: tf.Tensor): tf.Tensor {
  return tf.sum(tf.reshape(x, [-1, x.shape.at(-1)!]), 0);
}

export function registerNorms(): void {
  for (const [name, body] of [
    [RMS_NORM, FORWARD_RMS],
    [RMS_NORM_GRADIENT, BACKWARD_RMS],
    [LAYER_NORM, FORWARD_LAYER],
    [LAYER_NORM_GRADIENT, BACKWARD_LAYER],
  ] as const)
    register<NormInputs | GradientInputs, NormAttributes>(name, (inputs, { epsilon }) =>
      run(name, body, inputs, epsilon),
    );
  const ones = (weight: tf.Tensor) => tf.fill(weight.shape, 1);
  registerGradient<NormAttributes>(RMS_NORM, ['x', 'weight'], (dy, [x, weight], attributes) => ({
    x: () => runKernel(RMS_NORM_GRADIENT, { x, weight, dy }, attributes),
    weight: () => columnSums(tf.mul(dy, runKernel<tf.Tensor>(RMS_NORM, { x, weight: ones(weight!) }, attributes))),
  }));
  registerGradient<NormAttributes>(LAYER_NORM, ['x', 'weight'], (dy, [x, weight], attributes) => ({
    x: () => runKernel(LAYER_NORM_GRADIENT, { x, weight, dy }, attributes),
    weight: () => {
      const inputs = { x, weight: ones(weight!), bias: tf.fill(weight!.shape, 0) };
      return columnSums(tf.mul(dy, runKernel<tf.Tensor>(LAYER_NORM, inputs, attributes)));
    },
    bias: () => columnSums(dy),
  }));
}
