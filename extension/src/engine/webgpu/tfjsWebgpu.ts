// What the engine uses of tfjs's WebGPU backend: its package is loaded by name, so its types are named here. Some of these are private
// there; the package's version is pinned by package-lock.json.
import * as tf from '@tensorflow/tfjs-core';

export const WEBGPU = 'webgpu';

export interface WebgpuBackend extends tf.KernelBackend {
  readonly device: GPUDevice;
  bufferManager: BufferManager;
  tensorMap: { get(dataId: object): TensorData; delete(dataId: object): void };
  commandEncoder: GPUCommandEncoder | null;
  computePassEncoder: GPUComputePassEncoder | null;
  dispatchCountInPass: number;
  tensorDataPendingDisposal: object[];
  uniformPendingDisposal: GPUBuffer[];
  stagingPendingDisposal: GPUBuffer[];
  commandQueueOwnedIds: { has(dataId: object): boolean; add(dataId: object): void };
  /** Ours. @throws CodedError if the device has reported an error */
  checkErrors(): void;
  read(dataId: object): Promise<tf.BackendValues>;
  makeTensorInfo(shape: number[], dtype: tf.DataType, values?: tf.BackendValues): tf.TensorInfo;
  uploadToGPU(dataId: object): void;
  ensureCommandEncoderReady(): void;
  endComputePassEncoder(): void;
  submitQueue(): void;
  runWebGPUProgram(program: object, inputs: tf.TensorInfo[], ...rest: unknown[]): tf.TensorInfo;
  disposeData(dataId: object, force?: boolean): boolean;
}

interface TensorData {
  /** null once they are on the device, until they are read. */
  values: tf.BackendValues | null;
  dtype: tf.DataType;
  shape: number[];
  resource?: GPUBuffer | null;
}

export interface BufferManager {
  acquireBuffer(size: number, usage: number, mappedAtCreation?: boolean, reuse?: boolean): GPUBuffer;
  releaseBuffer(buffer: GPUBuffer, reuse?: boolean): void;
  readonly numBytesUsed: number;
  readonly numBytesAllocated: number;
  dispose(): void;
}

export function webgpuBackend(): WebgpuBackend {
  return tf.backend() as WebgpuBackend;
}

/** Bytes that buffers hold on the current backend's GPU; undefined where it doesn't say. */
export function gpuBytes(): number | undefined {
  return isWebgpu() ? webgpuBackend().bufferManager.numBytesAllocated : undefined;
}

export function isWebgpu(): boolean {
  return tf.getBackend() === WEBGPU;
}

/** Bytes of a tensor on the device: every type has four a value. */
export function bytesOf({ shape }: Pick<tf.TensorInfo, 'shape'>): number {
  return 4 * tf.util.sizeFromShape(shape);
}
