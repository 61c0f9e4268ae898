// `tunewright combine` as a user types it: weights behind paths, both spellings of options, what is never overwritten.
import { cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { expectRefusal, succeed, tunewright, workplace } from '../../support/cli.js';

const place = workplace();
afterAll(() => place.remove());
beforeAll(() => {
  cpSync('test/fixtures/combinations/plain', place.file('a=1'), { recursive: true });
  cpSync('test/fixtures/combinations/half', place.file('half'), { recursive: true });
});

const combine = (...args: string[]) => ['combine', ...args];
const two = ['--adapter', 'a=1=0.7', '--adapter', 'half=-3e-1'];
const configOf = (folder: string) =>
  JSON.parse(readFileSync(place.file(folder, 'adapter_config.json'), 'utf8')) as Record<string, unknown>;

it('writes a PEFT folder and says what it is', async () => {
  const args = combine(
    ...two,
    '--combination_type',
    'svd',
    '--svd-rank',
    '2',
    '--svd_clamp',
    '0.99',
    '--out',
    'x/svd',
    '--json',
  );
  const { stdout } = await succeed(args, { cwd: place.path });
  expect(JSON.parse(stdout)).toEqual({
    folder: resolve(place.path, 'x/svd'),
    adapters: [
      { folder: 'a=1', weight: 0.7 },
      { folder: 'half', weight: -0.3 },
    ],
    combination_type: 'svd',
    r: 2,
    modules: 4,
  });
  expect(configOf('x/svd')).toMatchObject({ peft_type: 'LORA', r: 2, lora_alpha: 2, use_rslora: false });

  const again = await tunewright(args, { cwd: place.path });
  expectRefusal(again, 'the folder is not empty');
  expect(configOf('x/svd')).toMatchObject({ r: 2 });
});

it('writes into an empty folder; several adapters behind one option', async () => {
  mkdirSync(place.file('empty'));
  const options = [
    '--combination-type',
    'dare_ties',
    '--density',
    '0.5',
    '--majority-sign-method',
    'frequency',
    '--seed',
    '3',
  ];
  await succeed(combine('--adapter', 'a=1=1', 'half=1', ...options, '--out', 'empty'), { cwd: place.path });
  expect(configOf('empty')).toMatchObject({ r: 4 });
});

it.each<[what: string, args: string[], says: string]>([
  ['an adapter without a weight', ['--adapter', 'half', '--adapter', 'a=1=1'], '"half" is not a folder and its weight'],
  ['a weight that is no number', ['--adapter', 'half=much'], '--adapter runs/a/adapter=0.7'],
  ['an infinite weight', ['--adapter', 'half=Infinity'], '--adapter runs/a/adapter=0.7'],
  ['no folder', ['--adapter', '=1'], '--adapter runs/a/adapter=0.7'],
  ['no adapter', [], '--adapter'],
  ['an unknown type', [...two, '--combination_type', 'slerp'], 'slerp'],
  ['a rank of 0', [...two, '--svd_rank', '0'], 'svd_rank'],
  ['a rank that no adapter can have', [...two, '--svd_rank', '1000000000'], 'svd_rank: the rank would be 1000000000'],
  ['svd_driver', [...two, '--svd_driver', 'gesvd'], 'svd_driver has no effect here'],
  ['svd_full_matrices', [...two, '--svd_full_matrices', 'false'], 'svd_full_matrices has no effect here'],
  ['a folder that is a whole model', ['--adapter', 'base=1', '--adapter', 'half=1'], 'a whole model, not an adapter'],
])('refuses %s', async (_, args, says) => {
  const result = await tunewright(combine(...args, '--out', 'refused'), { cwd: place.path });
  expectRefusal(result, says);
  expect(existsSync(place.file('refused'))).toBe(false);
});

it('refuses a file as the folder, or above it', async () => {
  const below = await tunewright(combine(...two, '--out', 'rows.jsonl/new'), { cwd: place.path });
  expectRefusal(below, 'a part of the path is a file, not a folder');
  expectRefusal(await tunewright(combine(...two, '--out', 'rows.jsonl'), { cwd: place.path }), 'this is not a folder');
});
