import { totalmem } from 'node:os';
import { expect, it } from 'vitest';
import {
  availableMemoryBytes,
  collectGarbage,
  peakRssBytes,
  rssBytes,
} from '../../../../extension/src/engine/machine/processMemory.js';

it('counts in bytes, and the peak includes memory that was freed', () => {
  const before = rssBytes();
  expect(before).toBeGreaterThan(10e6);
  expect(before).toBeLessThan(totalmem());
  let block: Buffer | null = Buffer.alloc(64e6, 1);
  const high = rssBytes();
  expect(high - before).toBeGreaterThan(32e6);
  block = null;
  expect(block).toBeNull();
  expect(peakRssBytes()).toBeGreaterThanOrEqual(high * 0.99);
});

it('reports available memory, at most the total', () => {
  expect(availableMemoryBytes()).toBeGreaterThan(0);
  expect(availableMemoryBytes()).toBeLessThanOrEqual(totalmem());
});

it('frees unreachable objects', async () => {
  collectGarbage();
  const { arrayBuffers } = process.memoryUsage();
  (() => new Float32Array(8e6).fill(1))();
  expect(process.memoryUsage().arrayBuffers).toBeGreaterThanOrEqual(arrayBuffers + 32e6);
  collectGarbage();
  // V8 frees the buffers in a thread.
  await expect.poll(() => process.memoryUsage().arrayBuffers).toBeLessThan(arrayBuffers + 16e6);
});
