// A process that is busy for ever ends with the process that started it, and by itself if it is told to.
import { build } from 'esbuild';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
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
        endWithParent({ stuckMs: Number(process.env.STUCK_MS ?? Infinity) });
        console.log(process.pid);
        setTimeout(() => { while (!process.env.IDLE); }, 500);
        setInterval(() => {}, 1000);`,
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

function start(env: Record<string, string> = {}) {
  const parent = spawn(process.execPath, [join(folder, 'parent.cjs')], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  });
  const child = new Promise<number>(resolve => parent.stdout.once('data', data => resolve(Number(data))));
  return { parent, child };
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

const ended = (pid: number) =>
  vi.waitFor(() => expect(isAlive(pid), `process ${pid}`).toBe(false), { timeout: 50_000, interval: 100 });

test('a busy process ends with its parent', { timeout: 60_000 }, async () => {
  const { parent, child } = start();
  const pid = await child;
  expect(isAlive(pid)).toBe(true);
  parent.kill('SIGKILL');
  await ended(pid);
});

test('a process that is stuck ends while its parent goes on', { timeout: 60_000 }, async () => {
  const { parent, child } = start({ STUCK_MS: '3000' });
  await ended(await child);
  expect(parent.exitCode).toBe(null);
  parent.kill('SIGKILL');
});

test('a process that has slept with its machine goes on', { timeout: 60_000 }, async () => {
  const { parent, child } = start({ STUCK_MS: '2000', IDLE: '1' });
  const pid = await child;
  await setTimeout(1000);
  process.kill(pid, 'SIGSTOP');
  await setTimeout(4000);
  process.kill(pid, 'SIGCONT');
  await setTimeout(1500);
  expect(isAlive(pid)).toBe(true);
  parent.kill('SIGKILL');
  await ended(pid);
});
