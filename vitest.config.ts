// Every test of the repository, in one run: what needs Node alone first, then what needs a real VS Code or a browser.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    // A process of its own for each file: the TensorFlow library is loaded once a process and keeps its settings.
    pool: 'forks',
    maxWorkers: 2,
    reporters: ['default', './test/setup/closingLine.ts'],
    projects: [
      {
        test: {
          name: 'node',
          include: ['test/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 120_000,
          // What is waited for takes as long as a busy machine takes.
          expect: { poll: { timeout: 30_000 } },
          globalSetup: ['./test/setup/requireEngine.ts'],
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'vscode',
          include: ['test/**/*.{host,e2e}.ts'],
          // These wait for conditions; so long a busy machine may take.
          testTimeout: 300_000,
          hookTimeout: 300_000,
          expect: { poll: { timeout: 60_000 } },
          globalSetup: ['./test/setup/requireEngine.ts', './test/setup/packExtension.ts'],
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
