import { resolve } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { cacheFolder, engineFolder } from '../../../../extension/src/engine/install/paths.js';

afterEach(() => vi.unstubAllEnvs());

it('has a folder for each library, in the cache folder set by the environment', () => {
  vi.stubEnv('TUNEWRIGHT_CACHE', 'some/cache');
  expect(cacheFolder()).toBe(resolve('some/cache'));
  const here = `${process.platform}-${process.arch}`;
  expect(engineFolder('2.21.0', false)).toBe(resolve(`some/cache/engine/tensorflow-2.21.0-${here}`));
  expect(engineFolder('2.21.0', true)).toBe(resolve(`some/cache/engine/tensorflow-2.21.0-${here}-gpu`));
});

it('defaults to the platform’s cache folder', () => {
  vi.stubEnv('TUNEWRIGHT_CACHE', '');
  expect(cacheFolder()).toMatch(/tunewright/);
});
