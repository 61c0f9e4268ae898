// Opens a GPU and registers tfjs's WebGPU backend on it. Called by openBackend only, once per process.
import * as tf from '@tensorflow/tfjs-core';
import { availableParallelism } from 'node:os';
import { requireFromTfjsNode, requirePackage } from '../install/tfjsNodePackage.js';
import { openGpu } from '../webgpu/dawn.js';
import { DeviceErrors } from '../webgpu/deviceErrors.js';
import { registerKernels } from '../webgpu/kernels.js';
import type { WebgpuBackend } from '../webgpu/tfjsWebgpu.js';
import type { Backend } from './backend.js';

/** @param chosen name or index of the GPU; null: the first */
export async function loadWebgpuBackend(chosen: string | number | null): Promise<Backend> {
  const { device, adapter } = await openGpu(chosen);
  // tfjs-core's bundle for Node doesn't register gradients; the union package, which tfjs-node loads too, does.
  requireFromTfjsNode('@tensorflow/tfjs');
  const package_ = requirePackage('@tensorflow/tfjs-backend-webgpu');
  const errors = new DeviceErrors(device, adapter.name);
  const backend = asInBrowser(device, () => new package_.WebGPUBackend(device, device.adapterInfo) as WebgpuBackend);
  checkErrors(backend, errors);
  registerKernels();
  tf.registerBackend('webgpu', () => backend);
  await tf.setBackend('webgpu');
  // Dawn's threads would keep the process alive.
  process.on('exit', () => {
    errors.close();
    device.destroy();
  });
  return {
    name: 'webgpu',
    libraryVersion: requirePackage('@tensorflow/tfjs-backend-webgpu/package.json').version,
    device: `GPU (${adapter.name}, ${adapter.backend})`,
    threads: availableParallelism(),
  };
}

/** tfjs looks for `navigator.gpu` and then doesn't use it; other packages would take us for a browser. */
function asInBrowser<T>(gpu: object, f: () => T): T {
  const before = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
  Object.defineProperty(globalThis, 'navigator', { value: { gpu }, configurable: true });
  try {
    return f();
  } finally {
    if (before) Object.defineProperty(globalThis, 'navigator', before);
    else delete (globalThis as { navigator?: unknown }).navigator;
  }
}

/** Nothing is computed, and no value is returned, once the device has reported an error. */
function checkErrors(backend: WebgpuBackend, errors: DeviceErrors): void {
  const { read, runWebGPUProgram } = backend;
  backend.read = async dataId => {
    errors.check();
    let values;
    try {
      values = await read.call(backend, dataId);
    } catch (error) {
      errors.check();
      throw error;
    }
    errors.check();
    return values;
  };
  backend.runWebGPUProgram = (...args) => {
    errors.check();
    return runWebGPUProgram.apply(backend, args);
  };
}
