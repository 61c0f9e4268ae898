// What others on the machine may read: run folders are for the user alone, exports have the modes of the umask, and the token of the hub is
// in no file, output or list of processes.
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startTinyHub, type TinyHub } from '../../support/hubServer.js';
import { succeed, workplace } from '../../support/cli.js';

// The machine may be busy.
vi.setConfig({ testTimeout: 240_000 });

const TOKEN = 'hf_secretOfTheTest';
const ROWS = fileURLToPath(new URL('../../../media/datasets/pirate.messages.jsonl', import.meta.url));
const place = workplace();
let hub: TinyHub;
let env: Record<string, string>;
// Where the test itself is run with another one, files would have its modes.
const umask = process.umask(0o022);

beforeAll(async () => {
  hub = await startTinyHub();
  env = { ...hub.env, HF_TOKEN: TOKEN };
});
afterAll(async () => {
  process.umask(umask);
  await hub.close();
  place.remove();
});

const runFile = (name: string, changes: Record<string, unknown> = {}) =>
  place.run(name, {
    name,
    model: 'org/model',
    dataset: { train: ROWS, validation: 0.2, max_length: 32 },
    method: { peft_type: 'LORA', target_modules: ['q_proj'] },
    training: { max_steps: 4, eval_steps: 2, save_steps: 2, measure_forgetting: false },
    ...changes,
  });

/** Path relative to `folder` -> mode, `''` is the folder itself. */
function modes(folder: string): Record<string, string> {
  const mode = (path: string) => (statSync(join(folder, path)).mode & 0o777).toString(8);
  const within = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return Object.fromEntries(['', ...within].map(path => [path, mode(path)]));
}

const isFolder = (folder: string, path: string) => statSync(join(folder, path)).isDirectory();

/** Files and folders that have another mode than a private one. */
const open = (folder: string) =>
  Object.entries(modes(folder)).filter(([path, mode]) => mode !== (isFolder(folder, path) ? '700' : '600'));

const contents = (folder: string) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(path => !isFolder(folder, path))
    .map(path => ({ path, text: readFileSync(join(folder, path), 'latin1') }));

/** Command lines of all processes, as everybody on a Linux machine can read them. */
const commandLines = () =>
  readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(pid => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      } catch {
        return '';
      }
    });

test('a run folder is for the user alone, its exports are not, and the token is nowhere', async () => {
  const out = place.file('private');
  const seen: string[] = [];
  const run = runFile('private', { export: [{ target: 'gguf', type: 'f16' }] });
  const { stdout, stderr } = await succeed(['train', run, '--out', out, '--json'], {
    env,
    onLine: () => seen.push(...commandLines()),
  });
  expect(hub.requests.length).toBeGreaterThan(0);
  expect(hub.requests.every(request => request.endsWith(`Bearer ${TOKEN}`))).toBe(true);

  const found = modes(out);
  expect(Object.keys(found)).toEqual(
    expect.arrayContaining(['run.json', 'events.ndjson', 'checkpoints', 'tensorboard', 'adapter', 'exports']),
  );
  expect(open(out).filter(([path]) => !path.startsWith('exports'))).toEqual([]);
  const exported = Object.keys(found).filter(path => path.startsWith('exports/') && path.endsWith('.gguf'));
  expect(exported.map(path => found[path])).toEqual(['644']);

  for (const { path, text } of [...contents(out), ...contents(hub.folder)])
    expect(text.includes(TOKEN), path).toBe(false);
  expect(stdout + stderr).not.toContain(TOKEN);
  if (process.platform === 'linux') {
    expect(seen.some(line => line.includes(run))).toBe(true);
    expect(seen.join('\n')).not.toContain(TOKEN);
  }
});

test('a folder that others could read is taken from them when it is trained in', async () => {
  const out = place.file('made-before');
  mkdirSync(out);
  chmodSync(out, 0o755);
  const run = runFile('made-before', { model: 'embedded:tiny' });
  await succeed(['train', run, '--out', out]);
  expect(open(out)).toEqual([]);
  chmodSync(out, 0o755);
  await succeed(['train', run, '--out', out, '--resume']);
  expect(modes(out)['']).toBe('700');
});

test('a race is private as well, an export to a place of the user’s is not', async () => {
  const race = place.write('two.race.json', {
    name: 'two',
    run: {
      model: 'embedded:tiny',
      dataset: { train: ROWS, validation: 0.2, max_length: 32 },
      method: { peft_type: 'LORA', target_modules: ['q_proj'] },
    },
    vary: [{}],
    seeds: [1],
    budget: { max_steps: 2 },
  });
  const out = place.file('race');
  await succeed(['race', race, '--out', out]);
  expect(open(out)).toEqual([]);
  const adapter = Object.keys(modes(out)).find(path => path.endsWith('adapter'))!;
  const merged = place.file('merged');
  await succeed(['merge', '--model', 'embedded:tiny', '--adapter', join(out, adapter), '--out', merged]);
  expect(modes(merged)).toMatchObject({ '': '755', 'model.safetensors': '644', 'config.json': '644' });
});
