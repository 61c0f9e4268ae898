// Rotary position embedding (arXiv:2104.09864) in Transformers' half-split layout, and its transpose, which is its gradient.
import * as tf from '@tensorflow/tfjs-core';
import {
  bindingsOf,
  dispatch,
  ELEMENT_MAIN,
  emptied,
  f32,
  output,
  u32,
  workgroupsFor,
  type Shader,
} from '../shader.js';
import { register } from './register.js';

export const ROTATION = 'Rotation';

export interface RotationInputs {
  /** [batch, seq, heads, headDim] */
  x: tf.Tensor;
  /** [batch, seq, 1, headDim], like `sin`; equal in both halves */
  cos: tf.Tensor;
  sin: tf.Tensor;
}

export interface RotationAttributes {
  /** -1: the transpose. */
  sign: 1 | -1;
}

const shader: Shader = {
  key: ROTATION,
  code: () => `${bindingsOf({ result: 'f32' }, { x: 'f32', cosines: 'f32', sines: 'f32' }, [
    'count: u32',
    'heads: u32',
    'headDim: u32',
    'sign: f32',
  ])}
  ${ELEMENT_MAIN}
    if (index >= params.count) { return; }
    let column = index % params.headDim;
    let half = params.headDim / 2u;
    let angle = index / (params.heads * params.headDim) * params.headDim + column;
    let isFirst = column < half;
    let other = x[select(index - half, index + half, isFirst)];
    result[index] = x[index] * cosines[angle] + select(other, -other, isFirst) * sines[angle] * params.sign;
  }`,
};

/** Of x's shape. */
function rotation({ x, cos, sin }: RotationInputs, { sign }: RotationAttributes): tf.TensorInfo {
  const [, , heads, headDim] = x.shape as [number, number, number, number];
  const result = output(x.shape);
  const count = tf.util.sizeFromShape(x.shape);
  if (count === 0) return emptied(result);
  dispatch(shader, {
    outputs: [result],
    inputs: [x, cos, sin],
    parameters: [u32(count), u32(heads), u32(headDim), f32(sign)],
    workgroups: workgroupsFor(count),
  });
  return result;
}

export function registerRotation(): void {
  register<RotationInputs, RotationAttributes>(ROTATION, rotation);
}
