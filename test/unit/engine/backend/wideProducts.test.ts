// Which way round a product is made follows from the CPU and the number of columns.
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, expect, test, vi } from 'vitest';
import { openBackend } from '../../../../extension/src/engine/backend/openBackend.js';

const features = vi.hoisted(() => ({ value: [] as string[] }));
vi.mock('../../../../extension/src/engine/install/machine.js', async original => ({
  ...(await original<object>()),
  cpuFeatures: () => features.value,
}));

afterEach(() => vi.resetModules());

beforeAll(async () => {
  await openBackend({ backend: 'tensorflow', threads: null, onWarning: () => {} });
});

async function turns(cpu: string[], columns: number): Promise<boolean> {
  features.value = cpu;
  const module = await import('../../../../extension/src/engine/backend/wideProducts.js');
  return module.turnsProduct(columns);
}

test('a vocabulary of columns is turned where the CPU has no AVX-512', async () => {
  const x64 = process.arch === 'x64';
  expect(tf.getBackend()).toBe('tensorflow');
  expect(await turns(['AVX2', 'FMA'], 49_152)).toBe(x64);
  vi.resetModules();
  expect(await turns(['AVX2', 'FMA', 'AVX512F'], 49_152)).toBe(false);
});

test('layers are not', async () => {
  expect(await turns(['AVX2'], 1536)).toBe(false);
});
