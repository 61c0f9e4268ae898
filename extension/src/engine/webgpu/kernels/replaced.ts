// Kernels of tfjs that are wrong on a device with few bindings, replaced by corrected ones.
import * as tf from '@tensorflow/tfjs-core';
import { WEBGPU, type WebgpuBackend } from '../tfjsWebgpu.js';

/** Replaces tfjs's kernel; `original` is what it replaces. */
function replace(
  kernelName: string,
  kernel: (original: tf.KernelFunc, args: Parameters<tf.KernelFunc>[0]) => ReturnType<tf.KernelFunc>,
): void {
  const original = tf.getKernel(kernelName, WEBGPU).kernelFunc;
  tf.unregisterKernel(kernelName, WEBGPU);
  tf.registerKernel({ kernelName, backendName: WEBGPU, kernelFunc: args => kernel(original, args) });
}

export function replaceKernels(): void {
  // tfjs binds every summand at once, whatever the device's limit.
  replace('AddN', (original, { inputs, backend, attrs }) => {
    const most = (backend as WebgpuBackend).device.limits.maxStorageBuffersPerShaderStage - 1;
    let summands = Object.values(inputs) as tf.TensorInfo[];
    const sums: tf.TensorInfo[] = [];
    while (summands.length > 1 || sums.length === 0) {
      const sum = original({ inputs: summands.slice(0, most) as never, backend, attrs }) as tf.TensorInfo;
      summands = [sum, ...summands.slice(most)];
      sums.push(sum);
    }
    for (const partial of sums.slice(0, -1)) (backend as WebgpuBackend).disposeData(partial.dataId);
    return summands[0]!;
  });
}
