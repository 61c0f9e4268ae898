import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Backend } from '../../../../extension/src/engine/backend/backend.js';
import { openBackend } from '../../../../extension/src/engine/backend/openBackend.js';
import { chooseAdapter, listGpuAdapters } from '../../../../extension/src/engine/webgpu/dawn.js';
import type { GpuAdapter } from '../../../../extension/src/protocol/engineStatus.js';
import { useSoftwareGpu } from '../../../support/softwareGpu.js';

useSoftwareGpu();
let backend: Backend;
beforeAll(async () => {
  backend = await openBackend({ backend: 'webgpu', threads: null, onWarning: () => {} });
});

async function valuesOf(tensor: tf.Tensor): Promise<number[]> {
  return [...(await tensor.data())];
}

describe('the WebGPU backend', () => {
  it('names its device, and lists it', async () => {
    const [first] = await listGpuAdapters();
    expect(backend).toMatchObject({
      name: 'webgpu',
      device: `${first!.type === 'software' ? 'software ' : ''}GPU (${first!.name}, ${first!.backend})`,
    });
    expect(first!.limits.maxStorageBuffersPerShaderStage).toBeGreaterThanOrEqual(8);
  });

  it('computes products and gradients', async () => {
    const x = tf.variable(tf.ones([4, 5]));
    const { value, grads } = tf.variableGrads(() => tf.sum(tf.square(tf.matMul(x as tf.Tensor2D, tf.ones([5, 3])))));
    expect(await valuesOf(value)).toEqual([300]);
    expect(await valuesOf(grads[x.name]!)).toEqual(Array(20).fill(30));
  });

  it.each([1, 2, 11, 12, 13, 40])(
    'adds %i tensors, whatever the number of buffers that a shader may bind',
    async count => {
      const before = tf.memory().numTensors;
      const summands = Array.from({ length: count }, (_, i) => tf.fill([3], i + 1));
      const sum = tf.addN(summands);
      expect(await valuesOf(sum)).toEqual(Array(3).fill((count * (count + 1)) / 2));
      expect(await valuesOf(summands[0]!)).toEqual([1, 1, 1]);
      tf.dispose([sum, ...summands]);
      expect(tf.memory().numTensors).toBe(before);
    },
  );
});

describe('chooseAdapter', () => {
  const adapter = (index: number, name: string, type: 'gpu' | 'software') =>
    ({ index, name, type, backend: 'vulkan', driver: '', limits: {}, features: [] }) satisfies GpuAdapter;
  const adapters = [adapter(0, 'SwiftShader', 'software'), adapter(1, 'Intel Arc', 'gpu'), adapter(2, 'NVIDIA', 'gpu')];

  it('takes a part of a name or an index, and prefers a real GPU', () => {
    expect(chooseAdapter(adapters, null).index).toBe(1);
    expect(chooseAdapter(adapters, 'nvidia').index).toBe(2);
    expect(chooseAdapter(adapters, 0).index).toBe(0);
    expect(chooseAdapter([...adapters, { ...adapters[0]!, index: 3, name: 'RTX 4090' }], 4090).index).toBe(3);
    expect(chooseAdapter(adapters.slice(0, 1), null).index).toBe(0);
  });

  it('says which there are', () => {
    expect(() => chooseAdapter(adapters, 'AMD')).toThrow(/no GPU "AMD"/);
    expect(() => chooseAdapter(adapters, 3)).toThrow(/no GPU 3/);
    expect(() => chooseAdapter([], null)).toThrow(/finds no GPU/);
  });
});

// The last one: there is no way back from an error of the device.
describe('an error of the device', () => {
  it('ends what is read after it, instead of returning zeros', async () => {
    const { device } = tf.backend() as unknown as { device: GPUDevice };
    const before = tf.ones([4]);
    device.createBuffer({ size: 2 ** 45, usage: GPUBufferUsage.STORAGE });
    await expect(tf.add(before, before).data()).rejects.toThrow(/the GPU .* refused a command: Buffer size/);
  });
});
