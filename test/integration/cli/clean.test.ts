// `tunewright clean`: what is listed, with what sizes, and that nothing else is deleted: no run in progress, no engine in use, nothing behind
// links, nothing that wasn't agreed to.
import { spawn, type ChildProcess } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { bin, expectRefusal, succeed, tunewright, workplace } from '../../support/cli.js';

// The machine may be busy.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

interface Answer {
  items: { kind: string; path: string; bytes: number; run: string | null }[];
  bytes: number;
  deleted: boolean;
}

const place = workplace();
const cache = place.file('cache');
const env = { TUNEWRIGHT_CACHE: cache };
let running: ChildProcess | undefined;

const clean = async (...args: string[]): Promise<Answer> => {
  const { stdout } = await succeed(['clean', ...args, '--runs', place.file('runs'), '--json'], {
    env,
    cwd: place.path,
  });
  return JSON.parse(stdout) as Answer;
};
const names = ({ items }: Answer) => items.map(({ kind, path }) => `${kind} ${path.slice(place.path.length + 1)}`);
const size = (folder: string): number =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map(name => statSync(join(folder, name)))
    .reduce((sum, stat) => sum + (stat.isFile() ? stat.size : 0), 0);

beforeAll(async () => {
  const training = { max_steps: 4, save_steps: 2, measure_forgetting: false };
  await succeed(['train', place.run('done', { training }), '--out', place.file('runs/done')]);
  cpSync(place.file('runs/done'), place.file('runs/stopped'), { recursive: true });
  const events = place.events('runs/stopped').map(event => JSON.stringify(event));
  writeFileSync(place.file('runs/stopped/events.ndjson'), `${events.slice(0, -1).join('\n')}\n`);
  // The checkpoints of a run that has lost its result are all that is left of it.
  cpSync(place.file('runs/done'), place.file('runs/lost'), { recursive: true });
  rmSync(place.file('runs/lost/adapter/adapter_model.safetensors'));
  for (const engine of ['tensorflow-1.0.0-linux-x64', 'partial-7'])
    place.write(`cache/engine/${engine}/tensorflow/library.so`, 'x'.repeat(1000));
  place.write('cache/models/short/model.gguf', 'x'.repeat(500));
  place.write('outside/run.json', '{}');
  symlinkSync(place.file('outside'), place.file('runs/link'));
  mkdirSync(place.file('runs/not-a-run'));
});
afterAll(() => {
  running?.kill('SIGKILL');
  place.remove();
});

test('lists engines, caches and checkpoints by default, runs and models if they are named, and deletes nothing', async () => {
  const listed = await clean('--dry-run');
  expect(names(listed)).toEqual([
    'engines cache/engine/partial-7',
    'engines cache/engine/tensorflow-1.0.0-linux-x64',
    'checkpoints runs/done/checkpoints/step-2',
    'checkpoints runs/done/checkpoints/step-4',
  ]);
  expect(listed.items[0]!.bytes).toBe(1000);
  expect(listed.items[2]!.bytes).toBe(size(place.file('runs/done/checkpoints/step-2')));
  const more = await clean('checkpoints', 'runs', 'models');
  expect(names(more).slice(2)).toEqual([
    'models cache/models/short',
    'runs runs/done',
    'runs runs/lost',
    'runs runs/stopped',
  ]);
  // Checkpoints are part of their runs.
  const sizes = ['done', 'lost', 'stopped'].map(name => size(place.file('runs', name)));
  expect(more.bytes).toBe(500 + sizes.reduce((sum, each) => sum + each));
  for (const { items, deleted } of [listed, more]) {
    expect(deleted).toBe(false);
    for (const { path } of items) expect(existsSync(path), path).toBe(true);
  }
});

test('without an answer nothing is deleted', async () => {
  const { stdout, stderr } = await succeed(['clean', '--runs', place.file('runs')], { env });
  expect(stdout).toMatch(/checkpoints +[\d.]+ kB +\S+step-2/);
  expect(stderr).toContain('Nothing was deleted. Use --yes');
  expect(existsSync(place.file('runs/done/checkpoints/step-2'))).toBe(true);
});

test('a path that isn’t listed is refused, and so is everything with it', async () => {
  const only = ['--only', place.file('runs/done/checkpoints/step-2'), place.file('outside')];
  const result = await tunewright(['clean', '--runs', place.file('runs'), '--yes', ...only], { env });
  expectRefusal(result, place.file('outside'), 'not among what can be deleted', '--dry-run');
  expect(existsSync(place.file('runs/done/checkpoints/step-2'))).toBe(true);
  expectRefusal(await tunewright(['clean', '--runs', place.file('none')], { env }), 'does not exist', '--runs');
  expectRefusal(await tunewright(['clean', 'everything'], { env }), 'engines, caches, checkpoints, models, runs');
});

test('a run in progress is left alone', async () => {
  const run = place.run('long', { training: { max_steps: 1_000_000, save_steps: 1 } });
  const out = place.file('runs/long');
  running = spawn(process.execPath, [bin, 'train', run, '--out', out], { stdio: 'ignore' });
  await vi.waitFor(() => expect(existsSync(join(out, 'checkpoints'))).toBe(true), {
    timeout: 100_000,
    interval: 100,
  });
  expect(names(await clean('runs', 'checkpoints')).filter(name => name.includes('long'))).toEqual([]);
  running.kill('SIGKILL');
  await vi.waitFor(async () => expect(names(await clean('runs'))).toContain('runs runs/long'), { timeout: 60_000 });
  rmSync(out, { recursive: true });
});

test('deletes what is chosen, then all of it, and never follows a link', async () => {
  const one = place.file('runs/done/checkpoints/step-2');
  expect(await clean('--yes', '--only', one)).toMatchObject({ deleted: true, items: [{ path: one }] });
  expect(existsSync(one)).toBe(false);
  expect(existsSync(place.file('runs/done/checkpoints/step-4'))).toBe(true);
  await clean('engines', 'checkpoints', 'models', 'runs', '--yes');
  expect(readdirSync(place.file('runs')).toSorted()).toEqual(['link', 'not-a-run']);
  expect(existsSync(place.file('outside/run.json'))).toBe(true);
  expect([readdirSync(join(cache, 'engine')), readdirSync(join(cache, 'models'))]).toEqual([[], []]);
  expect(await clean()).toMatchObject({ items: [], deleted: false });
});
