// Registers kernels of our own with tfjs, for the WebGPU backend, or in place of its own.
import * as tf from '@tensorflow/tfjs-core';
import { WEBGPU } from '../tfjsWebgpu.js';

export function register<Inputs, Attributes>(
  kernelName: string,
  run: (inputs: Inputs, attributes: Attributes) => tf.TensorInfo | tf.TensorInfo[],
): void {
  tf.registerKernel({
    kernelName,
    backendName: WEBGPU,
    kernelFunc: ({ inputs, attrs }) => run(inputs as Inputs, attrs as Attributes),
  });
}

/** Replaces tfjs's kernel; `original` is what it replaces. */
export function replace(
  kernelName: string,
  kernel: (original: tf.KernelFunc, args: Parameters<tf.KernelFunc>[0]) => ReturnType<tf.KernelFunc>,
): void {
  const original = tf.getKernel(kernelName, WEBGPU).kernelFunc;
  tf.unregisterKernel(kernelName, WEBGPU);
  tf.registerKernel({ kernelName, backendName: WEBGPU, kernelFunc: args => kernel(original, args) });
}

/**
 * The gradient of a kernel with one output. Unlike that of `withGradient` (models/ops.ts), it is computed only for those inputs that
 * lead to something that trains.
 * @param inputsToSave names of the inputs that `gradients` gets as `saved`
 */
export function registerGradient<Attributes>(
  kernelName: string,
  inputsToSave: string[],
  gradients: (dy: tf.Tensor, saved: tf.Tensor[], attributes: Attributes) => Record<string, () => tf.Tensor>,
): void {
  tf.registerGradient({
    kernelName,
    inputsToSave,
    gradFunc: (dy, saved, attrs) => gradients(dy as tf.Tensor, saved, attrs as Attributes),
  });
}

/** Runs a kernel by its name; recorded for differentiation if it has a gradient. */
export function runKernel<Result extends tf.Tensor | tf.Tensor[]>(
  kernelName: string,
  inputs: object,
  attributes: object = {},
): Result {
  return tf.engine().runKernel(kernelName, inputs as tf.NamedTensorMap, attributes as tf.NamedAttrMap) as Result;
}
