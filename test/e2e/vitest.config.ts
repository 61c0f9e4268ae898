// Tests in a real browser: `npm run test:e2e`.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/e2e/**/*.e2e.ts'],
    fileParallelism: false,
    testTimeout: 20_000,
    hookTimeout: 120_000,
    reporters: ['default', './test/setup/closingLine.ts'],
  },
});
