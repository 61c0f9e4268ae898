import { expect, test } from 'vitest';
import { deviceText } from '../../../extension/src/core/deviceText.js';

test.each([
  ['tensorflow', 'CPU (AMD EPYC 7B13)', 8, 'TensorFlow · CPU, 8 threads'],
  ['wasm', 'CPU (AMD EPYC 7B13)', 1, 'WebAssembly · CPU, 1 thread'],
  ['ray', '4 × NVIDIA H200', 1, 'Ray · 4 × NVIDIA H200'],
  ['tensorflow', 'GPU (CUDA)', 8, 'TensorFlow · GPU (CUDA)'],
  ['webgpu', 'GPU (Apple M2, metal)', 8, 'WebGPU · Apple M2'],
  ['webgpu', 'GPU (NVIDIA H200, 139 GB (MIG), vulkan)', 8, 'WebGPU · NVIDIA H200, 139 GB (MIG)'],
  [
    'webgpu',
    'software GPU (SwiftShader Device (Subzero), vulkan)',
    2,
    'WebGPU · SwiftShader Device (Subzero) (software)',
  ],
])('%s on %s', (backend, device, threads, words) => {
  expect(deviceText({ backend, device, threads })).toBe(words);
});
