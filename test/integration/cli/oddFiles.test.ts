// Inputs that are no files, for every command that opens one: each is an error that names it, at once, instead of a program that waits
// or reads without end. And the ends of a command by a signal.
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { errorLineSchema } from '../../../extension/src/protocol/engineError.js';
import { expectRefusal, succeed, tunewright, workplace } from '../../support/cli.js';

vi.setConfig({ testTimeout: 240_000 });

const place = workplace();
afterAll(() => place.remove());

const KINDS: Record<string, (path: string) => void> = {
  'a named pipe': path => execFileSync('mkfifo', [path]),
  'an endless device': path => symlinkSync('/dev/zero', path),
};

/** Place -> the command that opens it there. A file of the model is put into a copy of it. */
const PLACES: Record<string, (file: string) => string[]> = {
  'run.json': file => ['estimate', file],
  'rows.jsonl': file => ['inspect', file],
  'rows.json': file => ['inspect', file],
  'rows.csv': file => ['inspect', file],
  'rows.parquet': file => ['inspect', file],
  'model.gguf': file => ['inspect', file, '--offline'],
  'adapter_config.json': file => ['inspect', join(file, '..')],
};
const MODEL_FILES = [
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'model.safetensors',
];
for (const name of [...MODEL_FILES, 'chat_template.jinja', 'chat_template.json'])
  PLACES[name] = file => {
    const folder = join(file, '..');
    cpSync(place.file('base'), folder, { recursive: true, filter: source => !source.endsWith(`/${name}`) });
    if (name === 'chat_template.json') dropTemplate(join(folder, 'tokenizer_config.json'));
    return ['inspect', folder, '--offline'];
  };
/** chat_template.json is read only where no other file has a template. */
function dropTemplate(file: string): void {
  const { chat_template: _, ...config } = JSON.parse(readFileSync(file, 'utf8'));
  writeFileSync(file, JSON.stringify(config));
}
// The engine reads a chat template when rows are tokenized.
PLACES['template.jinja'] = file => [
  ...['train', place.run('template', { dataset: { chat_template: file } }), '--out', place.file('never')],
];

describe.runIf(process.platform === 'linux').each(Object.keys(KINDS))('%s', kind => {
  it.each(Object.keys(PLACES))('%s', async name => {
    const folder = place.file(`${kind} as ${name}`.replace(/[ .]/g, '-'));
    mkdirSync(folder);
    const file = join(folder, name);
    KINDS[kind]!(file);
    const what = kind === 'a named pipe' ? kind : 'a device';
    expectRefusal(
      await tunewright(PLACES[name]!(file), { cwd: place.path }),
      `${file}: this is not a file but ${what}`,
    );
  });
});

it.runIf(process.platform === 'linux')('a run folder where none can be created is an error', async () => {
  expectRefusal(
    await tunewright(['train', place.run('proc'), '--out', '/proc/x']),
    '/proc/x',
    'no folder can be created',
  );
});

describe('a path below a file', () => {
  it.each([
    ['inspect', 'rows.jsonl/x', '--offline'],
    ['inspect', 'rows.jsonl/x.gguf', '--offline'],
    ['evaluate', '--model', './rows.jsonl/x', '--dataset', 'rows.jsonl'],
    ['evaluate', '--model', 'base', '--dataset', 'rows.jsonl/x.jsonl'],
    ['suite', '--dataset', 'rows.jsonl/x.jsonl', '--out', 'made.eval.jsonl'],
    ['quarantine', 'rows.jsonl/x.jsonl', '--add', '1'],
    ['rows', 'rows.jsonl/x', '--by', 'highest'],
    ['merge', '--model', 'base', '--adapter', 'rows.jsonl/x', '--out', 'merged'],
    ['merge', '--model', 'base', '--out', 'rows.jsonl/merged'],
    ['merge', '--model', 'base', '--out', 'rows.jsonl/merged.gguf'],
    ['train', 'rows.jsonl/x.json'],
    ['race', 'rows.jsonl/x.json'],
  ])('%s %s', async (...args) => {
    expectRefusal(await tunewright(args, { cwd: place.path }), 'rows.jsonl');
  });

  it('--out of a run', async () => {
    const out = join('rows.jsonl', 'run');
    expectRefusal(await tunewright(['train', place.run('below'), '--out', out], { cwd: place.path }), 'rows.jsonl');
  });
});

it('a model whose files are links into a store of blobs, and a dataset that is a link, are trained as ever', async () => {
  const [blobs, snapshot] = [place.file('blobs'), place.file('snapshot')];
  for (const folder of [blobs, snapshot]) mkdirSync(folder);
  readdirSync(place.file('base')).forEach((name, i) => {
    copyFileSync(join(place.file('base'), name), join(blobs, String(i)));
    symlinkSync(`../blobs/${i}`, join(snapshot, name));
  });
  symlinkSync(place.file('rows.jsonl'), place.file('linked.jsonl'));
  mkdirSync(place.file('elsewhere'));
  symlinkSync(place.file('elsewhere'), place.file('runs-here'));
  const run = place.run('linked', {
    model: 'snapshot',
    dataset: { train: 'linked.jsonl' },
    training: { max_steps: 2 },
  });
  await succeed(['train', run, '--out', place.file('runs-here', 'linked')], { cwd: place.path });
  await succeed(['train', run, '--out', place.file('runs-here', 'linked'), '--resume'], { cwd: place.path });
  expect(place.events('elsewhere/linked').at(-1)!.type).toBe('completed');
  expect(readdirSync(place.file('elsewhere', 'linked'))).not.toContain('process.json');
});

it('a folder with process.json of version 0 that names a living process is resumed', async () => {
  const run = place.run('stale', { training: { max_steps: 2 } });
  const out = place.file('stale-run');
  await succeed(['train', run, '--out', out]);
  writeFileSync(join(out, 'process.json'), JSON.stringify({ pid: process.pid, started: '2099-01-01T00:00:00.000Z' }));
  await succeed(['train', run, '--out', out, '--resume']);
});

it('files of a run folder that are links are refused, and what they lead to is unchanged', async () => {
  const run = place.run('links', { training: { max_steps: 2 } });
  const out = place.file('links-run');
  await succeed(['train', run, '--out', out]);
  for (const name of ['events.ndjson', 'run.json']) {
    const [file, target] = [join(out, name), place.file(`target-of-${name}`)];
    renameSync(file, target);
    symlinkSync(target, file);
    const before = readFileSync(target);
    expectRefusal(await tunewright(['train', run, '--out', out, '--resume']), file, 'symbolic link');
    expect(readFileSync(target)).toEqual(before);
    rmSync(file);
    renameSync(target, file);
  }
});

describe.runIf(process.platform !== 'win32').each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const)('%s', (signal, code) => {
  it.each([
    ['evaluate', '--model', 'base', '--dataset', 'many.jsonl'],
    ['generate', '--model', 'long', '--prompt', 'ab', '--max-new-tokens', '100000'],
    ['merge', '--model', 'base', '--out', 'base.gguf', '--type', 'f16', '--general-texts', 'many.jsonl'],
    ['evaluate', '--model', 'base', '--suite', 'suite.jsonl'],
  ])('ends the output of %s with a record', async (...args) => {
    place.model('long', { changes: { max_position_embeddings: 200_000 } });
    const rows = Array.from({ length: 20_000 }, (_, i) => ({ prompt: `Row ${i}`, completion: 'ab'.repeat(20) }));
    place.write('many.jsonl', rows);
    const row = { messages: [{ role: 'user', content: 'ab' }], checks: [{ type: 'contains', value: 'x' }] };
    place.write('suite.jsonl', Array<unknown>(20_000).fill(row));
    const result = await tunewright([...args, '--json', '--backend', 'wasm'], {
      cwd: place.path,
      ownSession: true,
      // The first words on standard error say that the work has begun.
      onWords: child => child.kill(signal),
    });
    expect(result).toMatchObject({ code, signal: null });
    expect(errorLineSchema.parse(JSON.parse(result.stdout.trimEnd().split('\n').at(-1)!)).code).toBe('cancelled');
  });
});
