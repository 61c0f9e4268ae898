// The norm of all gradients together: a dispatch for each tensor, whose workgroups add up the squares of equal parts of it, and one
// that adds up theirs. Always in the same order.
import * as tf from '@tensorflow/tfjs-core';
import { bindingsOf, dispatch, output, u32, type Shader } from '../shader.js';
import { register, runKernel } from './register.js';
import { reduction } from './rows.js';

const GLOBAL_NORM = 'GlobalNorm';

const INVOCATIONS = 256;
/** Workgroups of a tensor, at most. */
const MOST_PARTS = 128;

const main = (name: string) => `${reduction('sum', 'f32', INVOCATIONS)}
  @compute @workgroup_size(${INVOCATIONS})
  fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    var part = 0.0;
    for (var i = group.x * ${INVOCATIONS}u + local; i < params.count; i += groups.x * ${INVOCATIONS}u) {
      part += ${name};
    }
    let total = sum(part, local);`;

const partsShader: Shader = {
  key: `${GLOBAL_NORM} parts`,
  code: () => `${bindingsOf({ parts: 'f32' }, { gradient: 'f32' }, ['count: u32', 'first: u32'])}
  ${main('gradient[i] * gradient[i]')}
    if (local == 0u) { parts[params.first + group.x] = total; }
  }`,
};

const rootShader: Shader = {
  key: `${GLOBAL_NORM} root`,
  code: () => `${bindingsOf({ norm: 'f32' }, { parts: 'f32' }, ['count: u32'])}
  ${main('parts[i]')}
    if (local == 0u) { norm[0] = sqrt(total); }
  }`,
};

function norm(inputs: Record<string, tf.TensorInfo>): tf.TensorInfo[] {
  const gradients = Object.values(inputs).filter(({ shape }) => tf.util.sizeFromShape(shape) > 0);
  const groups = gradients.map(({ shape }) =>
    Math.min(MOST_PARTS, Math.ceil(tf.util.sizeFromShape(shape) / (4 * INVOCATIONS))),
  );
  const count = groups.reduce((sum, own) => sum + own, 0);
  const parts = output([count]);
  let first = 0;
  gradients.forEach((gradient, i) => {
    const parameters = [u32(tf.util.sizeFromShape(gradient.shape)), u32(first)];
    dispatch(partsShader, { outputs: [parts], inputs: [gradient], parameters, workgroups: [groups[i]!] });
    first += groups[i]!;
  });
  const result = output([]);
  dispatch(rootShader, { outputs: [result], inputs: [parts], parameters: [u32(count)], workgroups: [1] });
  return [result, parts];
}

/** The root of the sum of all squares of these tensors, of which there must be some. */
export function globalNorm(tensors: readonly tf.Tensor[]): tf.Scalar {
  const inputs = Object.fromEntries(tensors.map((tensor, i) => [`tensor${i}`, tensor]));
  const [result, parts] = runKernel<tf.Tensor[]>(GLOBAL_NORM, inputs);
  parts!.dispose();
  return result as tf.Scalar;
}

export function registerGlobalNorm(): void {
  register<Record<string, tf.Tensor>, object>(GLOBAL_NORM, norm);
}
