// Inverted dropout. Each mask follows from a seed and its site in the model, so that a recomputed layer has the same
// mask. With TensorFlow and WebGPU it is drawn inside the step (so a captured step draws the same masks), on wasm from a
// seeded stream.
import * as tf from '@tensorflow/tfjs-core';
import { hasTensorflowOps, tensorflowOp } from '../capture/tensorflowOps.js';
import { createRng } from '../data/rng.js';
import { runKernel } from '../webgpu/kernels/register.js';
import { STATELESS_UNIFORM } from '../webgpu/kernels/statelessUniform.js';
import { isWebgpu } from '../webgpu/tfjsWebgpu.js';
import type { Dropout } from './stepMath.js';

/** @param seed differs between micro-batches; a captured step gets it as an int32 scalar */
export function seededDropout(seed: number | tf.Scalar): Dropout {
  const uniform = uniformOf(seed);
  return (x, rate, site) => {
    const kept = tf.cast(tf.greaterEqual(uniform(x.shape, site), rate), 'float32');
    return tf.mul(x, tf.mul(kept, 1 / (1 - rate))) as tf.Tensor2D;
  };
}

/** A backend that computes nothing (the estimate's) draws no random numbers. */
function uniformOf(seed: number | tf.Scalar): (shape: number[], site: number) => tf.Tensor {
  if (typeof seed !== 'number') return statelessUniform(seed);
  if (hasTensorflowOps() || isWebgpu()) return statelessUniform(tf.scalar(seed, 'int32'));
  return tf.getBackend() === 'wasm' ? streamOf(seed) : shape => tf.fill(shape, 1);
}

function statelessUniform(seed: tf.Scalar): (shape: number[], site: number) => tf.Tensor {
  return (shape, site) => {
    // tfjs's stack would round a large seed on WebGPU.
    if (isWebgpu()) return runKernel(STATELESS_UNIFORM, { seed }, { site, shape });
    const key = tf.stack([seed, tf.scalar(site, 'int32')]);
    const attributes = { dtype: 'float32', T: 'int32', Tseed: 'int32' } as const;
    return tensorflowOp('StatelessRandomUniform', attributes, [tf.tensor1d(shape, 'int32'), key]);
  };
}

function streamOf(seed: number): (shape: number[], site: number) => tf.Tensor {
  const seeded = createRng(seed);
  return (shape, site) => {
    const rng = seeded.fork(`site ${site}`);
    return tf.tensor(
      Float32Array.from({ length: tf.util.sizeFromShape(shape) }, () => rng.next()),
      shape,
    );
  };
}
