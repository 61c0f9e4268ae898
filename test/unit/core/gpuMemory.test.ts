import { expect, test } from 'vitest';
import { gpuMemoryNote, gpuName, knownGpu } from '../../../extension/src/core/gpuMemory.js';
import type { GpuAdapter } from '../../../extension/src/protocol/engineStatus.js';

const adapter = (type: GpuAdapter['type']): GpuAdapter => ({
  ...{ index: 0, name: 'Arc', backend: 'vulkan', type, driver: '', features: [] },
  limits: { maxBufferSize: 4e9, maxStorageBufferBindingSize: 2e9 },
});

test('the largest buffer is what a shader can be given', () => {
  expect(knownGpu(adapter('gpu'))).toEqual({ index: 0, name: 'Arc', type: 'gpu', largest_buffer: 2e9 });
});

test('what is unknown of a GPU is said', () => {
  expect(gpuMemoryNote(3e9, knownGpu(adapter('gpu')))).toBe(
    'Arc must hold about 3.0 GB. How much memory it has is unknown: WebGPU doesn’t say. One buffer can have 2.0 GB; larger weights are held in parts.',
  );
  expect(gpuMemoryNote(3e9, knownGpu(adapter('software')))).toMatch(/^Arc is software: .* this machine’s memory\./);
});

test('software is marked', () => {
  expect([gpuName(adapter('gpu')), gpuName(adapter('software'))]).toEqual(['Arc', 'Software: Arc (slow, for tests)']);
});
