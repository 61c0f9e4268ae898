// Inverted dropout whose every mask follows from one seed: drawn by TensorFlow inside the step where that computes (so a
// captured step draws the same masks), from a seeded stream elsewhere.
import * as tf from '@tensorflow/tfjs-core';
import { hasTensorflowOps, tensorflowOp } from '../backend/tensorflowOps.js';
import { createRng } from '../data/rng.js';
import type { Dropout } from './stepMath.js';

/** @param seed int32 scalar, another one each micro-batch */
export function seededDropout(seed: tf.Scalar): Dropout {
  const uniform = uniformOf(seed);
  return (x, rate) => {
    const kept = tf.cast(tf.greaterEqual(uniform(x.shape), rate), 'float32');
    return tf.mul(x, tf.mul(kept, 1 / (1 - rate))) as tf.Tensor2D;
  };
}

/** A backend that computes nothing (the estimate's) has nothing to draw. */
function uniformOf(seed: tf.Scalar): (shape: number[]) => tf.Tensor {
  if (hasTensorflowOps()) return statelessUniform(seed);
  return tf.getBackend() === 'wasm' ? streamOf(seed) : shape => tf.fill(shape, 1);
}

/** Each call is another site of the forward pass, and draws from a stream of its own. */
function statelessUniform(seed: tf.Scalar): (shape: number[]) => tf.Tensor {
  let site = 0;
  return shape => {
    const key = tf.stack([seed, tf.scalar(site++, 'int32')]);
    const attributes = { dtype: 'float32', T: 'int32', Tseed: 'int32' } as const;
    return tensorflowOp('StatelessRandomUniform', attributes, [tf.tensor1d(shape, 'int32'), key])[0]!;
  };
}

function streamOf(seed: tf.Scalar): (shape: number[]) => tf.Tensor {
  const rng = createRng(seed.dataSync()[0]!);
  return shape =>
    tf.tensor(
      Float32Array.from({ length: tf.util.sizeFromShape(shape) }, () => rng.next()),
      shape,
    );
}
