// Inverted dropout whose every mask follows from one seed: drawn by TensorFlow inside the step where that computes (so a
// captured step draws the same masks), from a seeded stream elsewhere.
import * as tf from '@tensorflow/tfjs-core';
import { createRng } from '../data/rng.js';
import type { Dropout } from './stepMath.js';

/** The part of tfjs-node's backend, real or tracing, that runs an op which tfjs has no kernel for. */
interface OpRunner {
  binding: Record<string, number>;
  executeSingleOutput(
    op: string,
    attributes: { name: string; type: number; value: number }[],
    inputs: tf.Tensor[],
  ): tf.Tensor;
}

/** TensorFlow's DataType numbers. */
const FLOAT = 1;
const INT32 = 3;

/** @param seed int32 scalar, another one each micro-batch */
export function seededDropout(seed: tf.Scalar): Dropout {
  const uniform = tf.getBackend() === 'wasm' ? streamOf(seed) : statelessUniform(seed);
  return (x, rate) => {
    const kept = tf.cast(tf.greaterEqual(uniform(x.shape), rate), 'float32');
    return tf.mul(x, tf.mul(kept, 1 / (1 - rate))) as tf.Tensor2D;
  };
}

/** Each call is another site of the forward pass, and draws from a stream of its own. */
function statelessUniform(seed: tf.Scalar): (shape: number[]) => tf.Tensor {
  let site = 0;
  return shape => {
    const runner = tf.backend() as unknown as OpRunner;
    const type = (name: string, value: number) => ({ name, type: runner.binding['TF_ATTR_TYPE']!, value });
    const key = tf.stack([seed, tf.scalar(site++, 'int32')]);
    const attributes = [type('dtype', FLOAT), type('T', INT32), type('Tseed', INT32)];
    return runner.executeSingleOutput('StatelessRandomUniform', attributes, [tf.tensor1d(shape, 'int32'), key]);
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
