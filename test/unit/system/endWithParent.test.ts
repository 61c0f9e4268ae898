// A process that is busy for ever ends with the process that started it.
import { build } from 'esbuild';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { root } from '../../support/datasetWorker.js';

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tunewright-parent-'));
  await build({
    absWorkingDir: root,
    stdin: {
      contents: `
        import { endWithParent } from './extension/src/system/endWithParent.js';
        endWithParent();
        console.log(process.pid);
        setTimeout(() => { for (;;); }, 500);`,
      resolveDir: root,
    },
    outfile: join(folder, 'child.cjs'),
    bundle: true,
    platform: 'node',
    format: 'cjs',
  });
  const start = `require('node:child_process').spawn(process.execPath, [${JSON.stringify(join(folder, 'child.cjs'))}], { stdio: ['ignore', 'inherit', 'inherit'] });`;
  writeFileSync(join(folder, 'parent.cjs'), `${start}\nsetInterval(() => {}, 1000);`);
});
afterAll(() => rmSync(folder, { recursive: true }));

test('a busy process ends with its parent', { timeout: 60_000 }, async () => {
  const parent = spawn(process.execPath, [join(folder, 'parent.cjs')], { stdio: ['ignore', 'pipe', 'inherit'] });
  const child = await new Promise<number>(resolve => parent.stdout.once('data', data => resolve(Number(data))));
  const isAlive = () => {
    try {
      return process.kill(child, 0);
    } catch {
      return false;
    }
  };
  expect(isAlive()).toBe(true);
  parent.kill('SIGKILL');
  await vi.waitFor(() => expect(isAlive(), `process ${child}`).toBe(false), { timeout: 50_000, interval: 100 });
});
