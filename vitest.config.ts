// Every test of the repository, in one run: what needs Node alone first, then what needs a real VS Code or a browser.
import { defineConfig } from 'vitest/config';

/** Tests from end to end wait for conditions; so long a busy machine may take. */
const ends = { testTimeout: 300_000, hookTimeout: 300_000, expect: { poll: { timeout: 60_000 } } };

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
          ...ends,
          name: 'webviews',
          include: ['test/e2e/webviews/*.e2e.ts'],
          globalSetup: ['./test/setup/requireEngine.ts'],
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          ...ends,
          name: 'vscode',
          include: ['test/e2e/workbench/*.e2e.ts', 'test/integration/host/*.host.ts'],
          // An editor, a browser and a run have enough with two cores. Runs have a low priority: beside another test they would starve.
          maxWorkers: 1,
          // Some wait for two trainings.
          testTimeout: 600_000,
          globalSetup: ['./test/setup/requireEngine.ts', './test/setup/packExtension.ts'],
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
