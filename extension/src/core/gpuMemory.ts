// What is known of a GPU's memory before a run, in words. Used by `estimate` and the run panel.
import type { GpuAdapter } from '../protocol/engineStatus.js';
import { bytes } from './units.js';

/** A GPU as far as choosing it and estimating for it need. */
export type KnownGpu = Pick<GpuAdapter, 'index' | 'name' | 'type'> & {
  /** Bytes of the largest buffer that it allows. */
  largest_buffer: number;
};

export function knownGpu({ index, name, type, limits }: GpuAdapter): KnownGpu {
  const { maxBufferSize = 0, maxStorageBufferBindingSize = maxBufferSize } = limits;
  return { index, name, type, largest_buffer: Math.min(maxBufferSize, maxStorageBufferBindingSize) };
}

/** The name, after a mark if it computes on the CPU: narrow screens cut off the end. */
export function gpuName({ name, type }: Pick<GpuAdapter, 'name' | 'type'>): string {
  return type === 'software' ? `Software: ${name} (slow, for tests)` : name;
}

/** @param total bytes of the run's estimate */
export function gpuMemoryNote(total: number, gpu: KnownGpu): string {
  const largest = `One buffer can have ${bytes(gpu.largest_buffer)}; larger weights are held in parts.`;
  if (gpu.type === 'software')
    return `${gpu.name} is software: it computes on the CPU, in this machine’s memory. ${largest}`;
  return `${gpu.name} must hold about ${bytes(total)}. How much memory it has is unknown: WebGPU doesn’t say. ${largest}`;
}
