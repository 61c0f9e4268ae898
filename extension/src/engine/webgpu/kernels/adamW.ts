// AdamW's update of one parameter and its moments in one pass (arXiv:1711.05101), with the arithmetic of training/stepMath.ts in the
// same order. Eight plain ops otherwise, each reading and writing all values.
import * as tf from '@tensorflow/tfjs-core';
import { bindingsOf, dispatch, ELEMENT_MAIN, f32, output, u32, workgroupsFor, type Shader } from '../shader.js';
import { register } from './register.js';

export const ADAM_W = 'AdamW';

export interface AdamWInputs {
  parameter: tf.Tensor;
  exp_avg: tf.Tensor;
  exp_avg_sq: tf.Tensor;
  gradient: tf.Tensor;
  /** [4]: learning rate / (1 - beta1^t), sqrt(1 - beta2^t), 1 - learning rate * weight decay, the factor that clips the gradient. */
  scalars: tf.Tensor;
}

export interface AdamWAttributes {
  beta1: number;
  beta2: number;
  epsilon: number;
}

const shader: Shader = {
  key: ADAM_W,
  code: () => `${bindingsOf(
    { newParameter: 'f32', newFirst: 'f32', newSecond: 'f32' },
    {
      parameter: 'f32',
      first: 'f32',
      second: 'f32',
      gradient: 'f32',
      scalars: 'f32',
    },
    ['count: u32', 'beta1: f32', 'oneMinusBeta1: f32', 'beta2: f32', 'oneMinusBeta2: f32', 'epsilon: f32'],
  )}
  ${ELEMENT_MAIN}
    if (index >= params.count) { return; }
    let g = gradient[index] * scalars[3];
    let m = first[index] * params.beta1 + g * params.oneMinusBeta1;
    let v = second[index] * params.beta2 + g * g * params.oneMinusBeta2;
    let update = m / (sqrt(v) / scalars[1] + params.epsilon) * scalars[0];
    newFirst[index] = m;
    newSecond[index] = v;
    newParameter[index] = parameter[index] * scalars[2] - update;
  }`,
};

/** The new parameter and moments, of the parameter's shape. */
export function adamW(inputs: AdamWInputs, { beta1, beta2, epsilon }: AdamWAttributes): tf.TensorInfo[] {
  const { parameter, exp_avg, exp_avg_sq, gradient, scalars } = inputs;
  const outputs = [parameter, exp_avg, exp_avg_sq].map(({ shape }) => output(shape));
  const count = tf.util.sizeFromShape(parameter.shape);
  dispatch(shader, {
    outputs,
    inputs: [parameter, exp_avg, exp_avg_sq, gradient, scalars],
    parameters: [u32(count), f32(beta1), f32(1 - beta1), f32(beta2), f32(1 - beta2), f32(epsilon)],
    workgroups: workgroupsFor(count),
  });
  return outputs;
}

export function registerAdamW(): void {
  register<AdamWInputs, AdamWAttributes>(ADAM_W, adamW);
}
