// Random numbers from a seed, the same as TensorFlow's StatelessRandomUniform draws: so a run with dropout has the same masks on a GPU
// as on the CPU. Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"), whose key and counter
// TensorFlow scrambles from the seed.
import * as tf from '@tensorflow/tfjs-core';
import { bindingsOf, dispatch, ELEMENT_MAIN, emptied, output, u32, workgroupsFor, type Shader } from '../shader.js';
import { register } from './register.js';

export const STATELESS_UNIFORM = 'StatelessUniform';

export interface UniformInputs {
  /** int32 scalar, not negative. */
  seed: tf.Tensor;
}

export interface UniformAttributes {
  /** The second part of the seed. */
  site: number;
  shape: number[];
}

const shader: Shader = {
  key: STATELESS_UNIFORM,
  code: () => `${bindingsOf({ result: 'f32' }, { seed: 'i32' }, ['count: u32', 'site: u32'])}
  fn high(a: u32, b: u32) -> u32 {
    let aLow = a & 0xffffu; let aHigh = a >> 16u;
    let bLow = b & 0xffffu; let bHigh = b >> 16u;
    let middle = aHigh * bLow + ((aLow * bLow) >> 16u);
    let other = aLow * bHigh + (middle & 0xffffu);
    return aHigh * bHigh + (middle >> 16u) + (other >> 16u);
  }
  fn philox(counter: vec4u, start: vec2u) -> vec4u {
    var c = counter;
    var key = start;
    for (var round = 0; round < 10; round++) {
      let high0 = high(0xD2511F53u, c.x);
      let high1 = high(0xCD9E8D57u, c.z);
      c = vec4u(high1 ^ c.y ^ key.x, 0xCD9E8D57u * c.z, high0 ^ c.w ^ key.y, 0xD2511F53u * c.x);
      key += vec2u(0x9E3779B9u, 0xBB67AE85u);
    }
    return c;
  }
  ${ELEMENT_MAIN}
    if (index * 4u >= params.count) { return; }
    let mixed = philox(vec4u(u32(seed[0]), 0u, params.site, 0u), vec2u(0x3ec8f720u, 0x02461e29u));
    let bits = philox(vec4u(index, 0u, mixed.z, mixed.w), mixed.xy);
    // The lowest 23 bits as the fraction of a number from 1 to 2.
    let values = bitcast<vec4f>((bits & vec4u(0x7fffffu)) | vec4u(0x3f800000u)) - vec4f(1.0);
    for (var i = 0u; i < min(4u, params.count - index * 4u); i++) { result[index * 4u + i] = values[i]; }
  }`,
};

/** float32 from 0 to below 1, of the shape. */
function uniform({ seed }: UniformInputs, { site, shape }: UniformAttributes): tf.TensorInfo {
  const result = output(shape);
  const count = tf.util.sizeFromShape(shape);
  if (count === 0) return emptied(result);
  const workgroups = workgroupsFor(Math.ceil(count / 4));
  dispatch(shader, { outputs: [result], inputs: [seed], parameters: [u32(count), u32(site)], workgroups });
  return result;
}

export function registerStatelessUniform(): void {
  register<UniformInputs, UniformAttributes>(STATELESS_UNIFORM, uniform);
}
