import * as tf from '@tensorflow/tfjs-core';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { openBackend } from '../../../../extension/src/engine/backend/openBackend.js';
import { findInstallation } from '../../../../extension/src/engine/install/installation.js';
import { useSoftwareGpu } from '../../../support/softwareGpu.js';

useSoftwareGpu();
/** Whether the software GPU passes for a real one. */
const hardware = vi.hoisted(() => ({ pretended: false }));
vi.mock('../../../../extension/src/engine/webgpu/dawn.js', async original => {
  const dawn = await original<typeof import('../../../../extension/src/engine/webgpu/dawn.js')>();
  const findRealGpu = async () => (hardware.pretended ? (await dawn.listGpuAdapters())[0]! : dawn.findRealGpu());
  return { ...dawn, findRealGpu };
});

afterEach(() => vi.unstubAllEnvs());

const noWarning = (code: string) => expect.fail(`unexpected warning ${code}`);
const installed = (await findInstallation()) !== null;

function useEmptyCache(): void {
  const cache = mkdtempSync(join(tmpdir(), 'tunewright-backend-'));
  rmSync(cache, { recursive: true });
  vi.stubEnv('TUNEWRIGHT_CACHE', cache);
}

/** d/dX sum((X W)^2) = 2 X W W^T, with X and W all ones: 2 * 3 * 5 = 30. */
function expectGradients(): void {
  const before = tf.memory().numTensors;
  tf.tidy(() => {
    const x = tf.ones([4, 5]).variable();
    const { value, grads } = tf.variableGrads(() => tf.sum(tf.square(tf.matMul(x as tf.Tensor2D, tf.ones([5, 3])))));
    expect(value.dataSync()[0]).toBe(300);
    expect([...grads[x.name].dataSync()]).toEqual(Array(20).fill(30));
    x.dispose();
  });
  expect(tf.memory().numTensors).toBe(before);
}

describe('openBackend', () => {
  it('computes gradients on wasm, without an installation', async () => {
    useEmptyCache();
    const backend = await openBackend({ backend: 'wasm', threads: null, onWarning: noWarning });
    expect(backend).toMatchObject({ name: 'wasm', threads: 1 });
    expect(tf.getBackend()).toBe('wasm');
    expectGradients();
  });

  it('falls back to wasm with a warning that names the cost, never to a software GPU', async () => {
    useEmptyCache();
    const warnings: string[] = [];
    const onWarning = (code: string, message: string) => warnings.push(`${code}: ${message}`);
    expect((await openBackend({ backend: 'auto', threads: null, onWarning })).name).toBe('wasm');
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/^tensorflow_not_installed: .*8 times slower.*tunewright engine install/);
  });

  it('refuses an adapter that is not there, with those that are, and one for a backend without', async () => {
    const open = (backend: 'auto' | 'wasm', adapter: string | number) =>
      openBackend({ backend, adapter, threads: null, onWarning: noWarning });
    await expect(open('wasm', 0)).rejects.toMatchObject({ name: 'InputError', where: 'engine.adapter' });
    await expect(open('auto', 'Voodoo')).rejects.toMatchObject({
      name: 'InputError',
      where: 'engine.adapter',
      hint: expect.stringMatching(/There are: 0: .*\(vulkan\)/),
    });
  });

  it('uses a GPU before wasm, and says so', async () => {
    useEmptyCache();
    hardware.pretended = true;
    const warnings: string[] = [];
    const onWarning = (code: string, message: string) => warnings.push(`${code}: ${message}`);
    const backend = await openBackend({ backend: 'auto', threads: null, onWarning });
    hardware.pretended = false;
    expect(backend.name).toBe('webgpu');
    expect(warnings).toEqual([
      `tensorflow_not_installed: TensorFlow is not installed: using the ${backend.device} through WebGPU. Run: tunewright engine install`,
    ]);
  });

  it('does not fall back if TensorFlow is requested', async () => {
    useEmptyCache();
    const opening = openBackend({ backend: 'tensorflow', threads: null, onWarning: noWarning });
    await expect(opening).rejects.toMatchObject({ name: 'InputError', where: 'engine.backend' });
  });

  it.runIf(installed)('computes gradients on TensorFlow, and switches back to wasm', async () => {
    const backend = await openBackend({ backend: 'auto', threads: null, onWarning: noWarning });
    expect(backend.name).toBe('tensorflow');
    expect(backend.libraryVersion).toMatch(/^2\.\d+\.\d+$/);
    expectGradients();
    await openBackend({ backend: 'wasm', threads: null, onWarning: noWarning });
    expect(tf.getBackend()).toBe('wasm');
  });
});
