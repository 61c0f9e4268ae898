// Registers a kernel of our own with tfjs, for the WebGPU backend.
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

/** Runs a kernel by its name; not recorded for differentiation. */
export function runKernel<Result extends tf.Tensor | tf.Tensor[]>(
  kernelName: string,
  inputs: object,
  attributes: object = {},
): Result {
  return tf.engine().runKernel(kernelName, inputs as tf.NamedTensorMap, attributes as tf.NamedAttrMap) as Result;
}
