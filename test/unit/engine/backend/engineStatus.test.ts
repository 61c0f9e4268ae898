import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { describeStatus } from '../../../../extension/src/engine/cli/engineCommand.js';
import { adviseOnGpu, engineStatus } from '../../../../extension/src/engine/backend/engineStatus.js';

afterEach(() => vi.unstubAllEnvs());

describe('engineStatus', () => {
  it('reports on a bare machine what is in use, at what cost, and what is missing', async () => {
    const cache = mkdtempSync(join(tmpdir(), 'tunewright-status-'));
    vi.stubEnv('TUNEWRIGHT_CACHE', cache);
    vi.stubEnv('PATH', cache);
    const status = await engineStatus();
    rmSync(cache, { recursive: true });
    expect(status).toMatchObject({ installation: null, backend: { name: 'wasm', threads: 1 } });
    expect(status.advice.join('\n')).toMatch(/8 times slower.*engine install/);
    expect(status.advice.join('\n')).toMatch(/apt install g\+\+/);
    const text = describeStatus(status);
    for (const name of ['Installed', 'Backend', 'Device', 'CPU', 'Memory', 'GPU']) expect(text).toContain(name);
  });

  it.each([
    ['no GPU, CPU library', false, 'CPU (x)', [], /^$/],
    ['GPU, CPU library', false, 'CPU (x)', ['GPU 0'], /install --gpu/],
    ['GPU, GPU library, in use', true, 'GPU (CUDA)', ['GPU 0'], /^$/],
    ['GPU, GPU library, not in use', true, 'CPU (x)', ['GPU 0'], /does not find the GPU/],
    ['no GPU, GPU library', true, 'CPU (x)', [], /using the CPU/],
  ])('advises on %s', (_case, gpu, device, gpus, expected) => {
    expect(adviseOnGpu({ gpu }, { device }, { gpus }).join('')).toMatch(expected);
  });
});
