// Opens a GPU and registers tfjs's WebGPU backend on it. Called by openBackend only: once per process, and again after the device failed.
import * as tf from '@tensorflow/tfjs-core';
import { availableParallelism } from 'node:os';
import { requireFromTfjsNode, requirePackage } from '../install/tfjsNodePackage.js';
import { openGpu } from '../webgpu/dawn.js';
import { DeviceErrors } from '../webgpu/deviceErrors.js';
import { GpuMemory } from '../webgpu/gpuMemory.js';
import { registerKernels } from '../webgpu/kernels/all.js';
import { tooManyGroups } from '../webgpu/shader.js';
import { bytesOf, WEBGPU, type WebgpuBackend } from '../webgpu/tfjsWebgpu.js';
import type { Backend } from './backend.js';

let opened: { device: GPUDevice; errors: DeviceErrors } | null = null;
let hasKernels = false;

/** Whether the device has reported an error: nothing is computed on it any more. */
export function webgpuHasFailed(): boolean {
  return opened?.errors.hasFailed ?? false;
}

/** Gives the device up with all that it holds; tensors on it can only be disposed. */
function closeFailed(): void {
  closeDevice();
  tf.removeBackend(WEBGPU);
}

function closeDevice(): void {
  opened?.errors.close();
  opened?.device.destroy();
  opened = null;
}

/** @param chosen name or index of the GPU; null: the first */
export async function loadWebgpuBackend(chosen: string | number | null): Promise<Backend> {
  if (webgpuHasFailed()) closeFailed();
  const { device, adapter } = await openGpu(chosen);
  // tfjs-core's bundle for Node doesn't register gradients; the union package, which tfjs-node loads too, does.
  requireFromTfjsNode('@tensorflow/tfjs');
  const package_ = requirePackage('@tensorflow/tfjs-backend-webgpu');
  const errors = new DeviceErrors(device, adapter.name);
  const backend = asInBrowser(device, () => new package_.WebGPUBackend(device, device.adapterInfo) as WebgpuBackend);
  adapt(backend, new GpuMemory(device, adapter.name), errors);
  // They stay, also without a backend.
  if (!hasKernels) registerKernels();
  hasKernels = true;
  tf.registerBackend(WEBGPU, () => backend);
  await tf.setBackend(WEBGPU);
  // Dawn's threads would keep the process alive.
  process.off('exit', closeDevice);
  process.on('exit', closeDevice);
  opened = { device, errors };
  return {
    name: 'webgpu',
    libraryVersion: requirePackage('@tensorflow/tfjs-backend-webgpu/package.json').version,
    device: `${adapter.type === 'software' ? 'software ' : ''}GPU (${adapter.name}, ${adapter.backend})`,
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

/** tfjs's MatMulProgramType.MatMulPackedProgram: tiles in workgroup memory. */
const PACKED_PRODUCT = 3;

/** Commands that are recorded before they are submitted. */
const COMMANDS_PER_SUBMIT = 256;

/**
 * Replaces what tfjs does with buffers: a freed one may be reused at once, since commands run in order; a tensor is read at its own
 * length. Nothing is computed, and no value is returned, once the device has reported an error.
 */
function adapt(backend: WebgpuBackend, memory: GpuMemory, errors: DeviceErrors): void {
  const { runWebGPUProgram } = backend;
  backend.bufferManager = memory;
  backend.commandQueueOwnedIds = { has: () => false, add: () => {} };
  tf.env().set('WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE', COMMANDS_PER_SUBMIT);
  // Its product for small results adds with atomics, in any order: a resumed run would end with other bits.
  tf.env().set('WEBGPU_MATMUL_PROGRAM_TYPE', PACKED_PRODUCT);
  backend.submitQueue = () => {
    backend.device.queue.submit([backend.commandEncoder!.finish()]);
    backend.commandEncoder = null;
    backend.dispatchCountInPass = 0;
    for (const buffer of backend.uniformPendingDisposal) memory.releaseBuffer(buffer);
    for (const buffer of backend.stagingPendingDisposal) memory.releaseBuffer(buffer, false);
    backend.uniformPendingDisposal = [];
    backend.stagingPendingDisposal = [];
  };
  backend.checkErrors = () => errors.check();
  backend.runWebGPUProgram = (...args) => {
    errors.check();
    try {
      return runWebGPUProgram.apply(backend, args);
    } catch (error) {
      const { message } = error as Error;
      if (!/dispatch size exceeds/i.test(message)) throw error;
      throw tooManyGroups(args[0].constructor.name, `more workgroups than it has (${message})`);
    }
  };
  backend.read = dataId => readTensor(backend, memory, errors, dataId);
}

async function readTensor(
  backend: WebgpuBackend,
  memory: GpuMemory,
  errors: DeviceErrors,
  dataId: object,
): Promise<tf.BackendValues> {
  errors.check();
  const data = backend.tensorMap.get(dataId);
  if (data.values) return data.values;
  const size = bytesOf(data);
  const staging = memory.acquireBuffer(size, GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ);
  backend.ensureCommandEncoderReady();
  backend.endComputePassEncoder();
  backend.commandEncoder!.copyBufferToBuffer(data.resource!, 0, staging, 0, size);
  backend.submitQueue();
  try {
    await staging.mapAsync(GPUMapMode.READ);
  } catch (error) {
    errors.check();
    throw error;
  }
  const bytes = staging.getMappedRange(0, size).slice(0);
  staging.unmap();
  memory.releaseBuffer(staging);
  errors.check();
  return tf.util.convertBackendValuesAndArrayBuffer(bytes, data.dtype);
}
