import { defineConfig } from 'vitest/config';

/** One after the other: the cluster has two CPUs. */
export default defineConfig({
  test: {
    include: ['test/ray/*.ray.ts'],
    maxWorkers: 1,
    testTimeout: 300_000,
    hookTimeout: 120_000,
    reporters: ['verbose', './test/setup/closingLine.ts'],
  },
});
