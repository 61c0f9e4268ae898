import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { describeStatus } from '../../../../extension/src/engine/cli/engineCommand.js';
import { adviseOnGpu, engineStatus } from '../../../../extension/src/engine/backend/engineStatus.js';
import type { GpuAdapter } from '../../../../extension/src/protocol/engineStatus.js';
import { useSoftwareGpu } from '../../../support/softwareGpu.js';

afterEach(() => vi.unstubAllEnvs());

describe('engineStatus', () => {
  it('reports on a bare machine what is in use, at what cost, and what is missing', async () => {
    useSoftwareGpu();
    const cache = mkdtempSync(join(tmpdir(), 'tunewright-status-'));
    vi.stubEnv('TUNEWRIGHT_CACHE', cache);
    vi.stubEnv('PATH', cache);
    const status = await engineStatus();
    rmSync(cache, { recursive: true });
    expect(status).toMatchObject({ installation: null, backend: { name: 'wasm', threads: 1 } });
    expect(status.advice.join('\n')).toMatch(/8 times slower.*engine install/);
    expect(status.advice.join('\n')).toMatch(/apt install g\+\+/);
    const text = describeStatus(status);
    for (const name of ['Installed', 'Backend', 'Device', 'CPU', 'Memory', 'CUDA', 'WebGPU'])
      expect(text).toContain(name);
  });

  const NONE = { possible: false, libraryVersion: '0', adapters: [] };
  const adapter = (type: GpuAdapter['type']): GpuAdapter => ({
    index: 0,
    name: 'Apple M2',
    backend: 'metal',
    type,
    driver: '',
    limits: {},
    features: [],
  });

  it.each([
    ['no GPU, CPU library', false, 'CPU (x)', [], NONE, /^$/],
    ['GPU, CPU library', false, 'CPU (x)', ['GPU 0'], NONE, /install --gpu/],
    ['GPU, GPU library, in use', true, 'GPU (CUDA)', ['GPU 0'], NONE, /^$/],
    ['GPU, GPU library, not in use', true, 'CPU (x)', ['GPU 0'], NONE, /does not find the GPU/],
    ['no GPU, GPU library', true, 'CPU (x)', [], NONE, /using the CPU/],
    ['GPU of WebGPU', false, 'CPU (x)', [], { ...NONE, adapters: [adapter('gpu')] }, /^The GPU Apple M2 is used with/],
    ['GPU of WebGPU, in use', false, 'GPU (Apple M2)', ['GPU 0'], { ...NONE, adapters: [adapter('gpu')] }, /^$/],
    ['software', false, 'CPU (x)', [], { ...NONE, adapters: [adapter('software')] }, /^$/],
  ])('advises on %s', (_case, gpu, device, gpus, webgpu, expected) => {
    expect(adviseOnGpu({ gpu }, { device }, { gpus }, webgpu).join('')).toMatch(expected);
  });
});
