import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { chooseBySeconds, fasterDevice, oneLayer } from '../../../../extension/src/engine/bench/fasterDevice.js';
import { listGpuAdapters } from '../../../../extension/src/engine/webgpu/dawn.js';
import { modelFamilies } from '../../../../extension/src/engine/models/registry.js';
import { useSoftwareGpu } from '../../../support/softwareGpu.js';
import { tinyConfig, windowVariants } from '../../../support/tinyModels.js';

useSoftwareGpu();
const folder = mkdtempSync(join(tmpdir(), 'tunewright-faster-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('fasterDevice', () => {
  it('takes the GPU only if it is clearly faster, and says why', () => {
    const gpu = { name: 'Arc' };
    expect(chooseBySeconds(gpu, { cpu: 0.5, gpu: 0.05 })).toEqual({
      backend: 'webgpu',
      reason: 'a measured step of one layer takes 50.0 ms on Arc, 500 ms on the CPU',
    });
    expect(chooseBySeconds(gpu, { cpu: 0.05, gpu: 0.5 }).backend).toBe('tensorflow');
    expect(chooseBySeconds(gpu, { cpu: 0.105, gpu: 0.1 }).backend).toBe('tensorflow');
  });

  it.each(modelFamilies.map(({ modelType }) => modelType))('measures one layer of %s', family => {
    for (const changes of windowVariants(family, 8)) {
      const layer = oneLayer({ config: tinyConfig(family, { ...changes, vocab_size: 100_000 }), path: 'config.json' });
      expect(layer.layers).toHaveLength(1);
      expect(layer.vocabSize).toBe(8192);
    }
  });

  it('measures a step on both devices once, and remembers it', async () => {
    const files = { config: tinyConfig('llama', { max_position_embeddings: 16 }), path: 'config.json' };
    const [gpu] = await listGpuAdapters();
    const first = await fasterDevice(files, gpu!, null, folder);
    expect(first.reason).toMatch(/^a measured step of one layer takes \S+ ms on .*, \S+ ms on the CPU$/);
    expect(await fasterDevice(files, gpu!, null, folder)).toEqual(first);
  });
});
