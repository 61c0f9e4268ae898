// No process is left when the one that it works for has been killed: a window's extension host, or a race. Each is started as that does,
// its parent is killed without warning, and processes are counted.
import { spawn, type ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import { endingWithThis } from '../../../extension/src/system/endWithParent.js';
import { bin, succeed, workplace } from '../../support/cli.js';

// The machine may be busy.
vi.setConfig({ testTimeout: 240_000 });

const place = workplace();
let parent: ChildProcess | undefined;
afterEach(() => void parent?.kill('SIGKILL'));
afterAll(() => place.remove());

/** Processes with this folder in their command line; of other systems the test knows none. */
function processes(): string[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name) && Number(name) !== parent!.pid)
    .flatMap(pid => {
      try {
        // A process that has ended and isn't waited for has no command line.
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
        return line.includes(place.path) ? [`${pid} ${line}`] : [];
      } catch {
        return [];
      }
    });
}

/** A process that starts the command line as the extension host does, and waits. */
function startAsHost(args: readonly string[]): void {
  const script = `
    const { spawn } = require('node:child_process');
    const child = spawn(process.execPath, ${JSON.stringify([bin, ...args])}, {
      env: { ...process.env, TUNEWRIGHT_PARENT: String(process.pid) },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.pipe(process.stdout);
    child.stderr.pipe(process.stderr);
    setInterval(() => {}, 1000);`;
  parent = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Resolves once the process, or what it has started, has said this. */
function speaks({ stdout, stderr }: ChildProcess, said: RegExp): Promise<void> {
  let words = '';
  return new Promise(resolve => {
    for (const stream of [stdout!, stderr!])
      stream.on('data', data => {
        words += String(data);
        if (said.test(words)) resolve();
      });
  });
}

async function leavesNothing(): Promise<void> {
  await vi.waitFor(() => expect(processes()).not.toEqual([]), { timeout: 100_000, interval: 10 });
  parent!.kill('SIGKILL');
  await vi.waitFor(() => expect(processes()).toEqual([]), { timeout: 100_000, interval: 200 });
}

test('the environment is the one that the host gives', () => {
  expect(endingWithThis()).toEqual({ TUNEWRIGHT_PARENT: String(process.pid) });
});

describe.skipIf(process.platform !== 'linux')('nothing is left when the parent of it is killed:', () => {
  test('a server', async () => {
    startAsHost(['serve', '--json', '--model', place.file('base'), '--port', '0']);
    await speaks(parent!, /"url"/);
    await leavesNothing();
  });

  test('an evaluation, also while it starts', async () => {
    const rows = Array.from({ length: 50_000 }, (_, i) => ({ prompt: `Say ${i}`, completion: ' it.' }));
    const dataset = place.write('many.jsonl', rows);
    startAsHost(['evaluate', '--json', '--model', place.file('base'), '--dataset', dataset]);
    await leavesNothing();
  });

  test('the run of a race, which saves first', async () => {
    const race = place.write('long.race.json', {
      name: 'long',
      run: {
        model: 'base',
        dataset: { train: 'rows.jsonl', validation: 0.25, max_length: 48 },
        method: { peft_type: 'LORA', r: 2 },
      },
      vary: [{}],
      seeds: [1],
      budget: { max_steps: 1_000_000 },
    });
    const out = place.file('long');
    parent = spawn(process.execPath, [bin, 'race', race, '--out', out, '--json'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    await speaks(parent, /"step":3,/);
    await leavesNothing();
    const run = readdirSync(`${out}/runs`)[0]!;
    expect(place.events(`long/runs/${run}`).map(({ type }) => type)).toContain('checkpoint_saved');
  });

  test('a run that was started in a terminal isn’t one of them: it goes on', async () => {
    const run = place.run('own', { training: { max_steps: 40 } });
    const out = place.file('own');
    const args = ['train', run, '--out', out, '--json'];
    const script = `require('node:child_process').spawn(process.execPath, ${JSON.stringify([bin, ...args])}, { stdio: 'ignore', detached: true });
      setInterval(() => {}, 1000);`;
    parent = spawn(process.execPath, ['-e', script], { stdio: 'ignore' });
    const events = () => {
      try {
        return place.events('own');
      } catch {
        return [];
      }
    };
    await vi.waitFor(() => expect(events().length).toBeGreaterThan(0), { timeout: 100_000, interval: 100 });
    parent.kill('SIGKILL');
    await vi.waitFor(() => expect(events().at(-1)).toMatchObject({ type: 'completed', reason: 'finished' }), {
      timeout: 100_000,
      interval: 100,
    });
  });
});

test('a command that was started without a parent to end with says nothing of it', async () => {
  const { stderr } = await succeed(['models', 'list', '--json'], { env: { TUNEWRIGHT_PARENT: '' } });
  expect(stderr).toBe('');
});
