// Loaded by the extension host (extensionTestsPath): runs the suite with mocha and writes the results into the
// workspace.
import Mocha from 'mocha';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HostTestResult } from './report.js';
import { figures, workspacePath } from './support.js';

export async function run(): Promise<void> {
  const mocha = new Mocha({ ui: 'bdd', timeout: 240_000, reporter: 'min', color: false });
  mocha.suite.emit('pre-require', globalThis, '', mocha);
  await import('./activation.js');
  await import('./runFiles.js');
  await import('./races.js');
  await import('./datasets.js');
  await import('./runLifecycle.js');
  await import('./languageModels.js');
  await import('./suiteTests.js');
  await import('./evaluation.js');
  await import('./rows.js');
  const results: HostTestResult[] = [];
  const write = () => writeFileSync(join(workspacePath(), 'host-results.json'), JSON.stringify({ results, figures }));
  await new Promise<void>((resolve, reject) => {
    mocha
      .run(failures => (failures > 0 ? reject(new Error(`${failures} tests failed`)) : resolve()))
      .on('pass', test => {
        results.push({ title: test.fullTitle(), durationMs: test.duration ?? 0, failure: null });
        write();
      })
      .on('fail', (test, error: Error) => {
        results.push({
          title: test.fullTitle(),
          durationMs: test.duration ?? 0,
          failure: error.stack ?? error.message,
        });
        write();
      });
  });
}
