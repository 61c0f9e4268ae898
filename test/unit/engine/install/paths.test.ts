import { resolve } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { cacheFolder, engineFolder } from '../../../../extension/src/engine/install/paths.js';

afterEach(() => vi.unstubAllEnvs());

it('keeps each library in a folder of its own, in the cache folder that the environment names', () => {
  vi.stubEnv('TUNEWRIGHT_CACHE', 'some/cache');
  expect(cacheFolder()).toBe(resolve('some/cache'));
  const here = `${process.platform}-${process.arch}`;
  expect(engineFolder('2.21.0', false)).toBe(resolve(`some/cache/engine/tensorflow-2.21.0-${here}`));
  expect(engineFolder('2.21.0', true)).toBe(resolve(`some/cache/engine/tensorflow-2.21.0-${here}-gpu`));
});

it('has a cache folder of the platform’s otherwise', () => {
  vi.stubEnv('TUNEWRIGHT_CACHE', '');
  expect(cacheFolder()).toMatch(/tunewright/);
});
