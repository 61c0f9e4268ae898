// Compares our ops on WebGPU with the same functions in plain ops, computed and differentiated by TensorFlow.
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'vitest';
import { openBackend } from '../../../../../extension/src/engine/backend/openBackend.js';
import { createRng } from '../../../../../extension/src/engine/data/rng.js';
import { useSoftwareGpu } from '../../../../support/softwareGpu.js';

useSoftwareGpu();

export type Op = (...inputs: tf.Tensor[]) => tf.Tensor;

export function random(shape: number[], seed: number | string): tf.Tensor {
  const rng = createRng(seed);
  return tf.tensor(
    Float32Array.from({ length: tf.util.sizeFromShape(shape) }, () => rng.normal()),
    shape,
  );
}

export async function open(backend: 'tensorflow' | 'webgpu'): Promise<void> {
  await openBackend({ backend, threads: null, onWarning: () => {} });
}

/** The value, and the gradient of each input, of a weighted sum of the values. */
async function evaluate(op: Op, shapes: number[][]): Promise<Float32Array[]> {
  const before = tf.memory().numTensors;
  const results = tf.tidy(() => {
    const inputs = shapes.map((shape, i) => random(shape, i));
    const value = op(...inputs);
    const dy = random(value.shape, 'dy');
    return [value, ...tf.grads((...args: tf.Tensor[]) => tf.sum(tf.mul(op(...args), dy)))(inputs)];
  });
  const values: Float32Array[] = [];
  for (const result of results) values.push(new Float32Array(await result.data()));
  tf.dispose(results);
  expect(tf.memory().numTensors, 'tensors').toBe(before);
  return values;
}

/** The largest difference, relative to 1 or the expected value if that is larger. */
export function largestDifference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(actual.length).toBe(expected.length);
  return Array.from(expected).reduce((most, value, i) => {
    const off = Math.abs(actual[i]! - value) / Math.max(1, Math.abs(value));
    return off <= most ? most : off;
  }, 0);
}

/** Expects values and gradients of random inputs to be equal, and twice the same on WebGPU. */
export async function expectEqual(shapes: number[][], ours: Op, plain: Op, tolerance = 1e-5): Promise<void> {
  await open('tensorflow');
  const expected = await evaluate(plain, shapes);
  await open('webgpu');
  const actual = await evaluate(ours, shapes);
  actual.forEach((values, i) =>
    expect(largestDifference(values, expected[i]!), i === 0 ? 'value' : `gradient ${i}`).toBeLessThan(tolerance),
  );
  expect(await evaluate(ours, shapes)).toEqual(actual);
}
