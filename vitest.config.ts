import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // A process of its own for each file: the TensorFlow library is loaded once a process and keeps its settings.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    reporters: ['default', './test/setup/closingLine.ts'],
    globalSetup: ['./test/setup/requireEngine.ts'],
  },
});
