// Tokens of a dataset from the cache are those of the dataset, and never those of another one.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import type { Dataset, LoadDatasetOptions } from '../../../../extension/src/engine/data/loadDataset.js';
import { sourceHash } from '../../../../extension/src/engine/data/sourceHash.js';
import { loadCachedDataset } from '../../../../extension/src/engine/data/tokenCache.js';
import { fixtureTokenizer } from '../../core/text/tokenizerFixtures.js';

const gpt2 = fixtureTokenizer('gpt2');
const folder = mkdtempSync(join(tmpdir(), 'tunewright-cache-'));
const cache = join(folder, 'cache');
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => {
  rmSync(cache, { recursive: true, force: true });
  mkdirSync(cache);
});

const ROWS = [
  { prompt: 'The weather', completion: ' is red.' },
  { prompt: 'Too long', completion: ' and so on'.repeat(40) },
  { prompt: 'No answer', completion: '' },
  { wrong: 1 },
  ...Array.from({ length: 30 }, (_, i) => ({ prompt: `Row ${i}`, completion: ` is number ${i}.` })),
];

const CONFIG = {
  format: 'auto',
  columns: {},
  max_length: 64,
  train_on: 'completions',
  truncation: 'end',
  on_bad_row: 'skip',
} as const;

let calls = 0;
/** Counts how often text is tokenized. */
const tokenizer: typeof gpt2 = { ...gpt2, encode: (...args) => (calls++, gpt2.encode(...args)) };

async function load(
  file: string,
  { identity = 'x', ...changes }: Partial<LoadDatasetOptions> & { identity?: string } = {},
) {
  calls = 0;
  const warnings: string[] = [];
  const onWarning = (code: string, message: string) => void warnings.push(`${code}: ${message}`);
  const dataset = await loadCachedDataset(cache, identity, {
    file,
    config: CONFIG,
    tokenizer,
    role: 'train',
    onWarning,
    ...changes,
  });
  const content = contentOf(dataset);
  dataset.close();
  return { content, warnings, tokenized: calls > 0 };
}

function contentOf(dataset: Dataset) {
  const { file, format, length, stats, leftOut, excluded } = dataset;
  const rows = Array.from({ length }, (_, i) => ({
    length: dataset.lengthOf(i),
    source: dataset.sourceOf(i),
    number: dataset.numberOf(i),
    ids: [...dataset.get(i).inputIds],
    labels: [...dataset.get(i).labels],
  }));
  return { file, format, length, stats, leftOut, excluded, rows };
}

function write(name: string, rows: unknown[]): string {
  const path = join(folder, name);
  writeFileSync(path, rows.map(row => `${JSON.stringify(row)}\n`).join(''));
  return path;
}

test('a dataset is tokenized once, with the same rows, figures and warnings from the cache', async () => {
  const file = write('rows.jsonl', ROWS);
  const first = await load(file);
  expect(first.tokenized).toBe(true);
  expect(first.content.stats).toMatchObject({ truncated: 1, bad: 1 });
  expect(first.warnings.length).toBeGreaterThan(2);
  const second = await load(file);
  expect(second).toEqual({ ...first, tokenized: false });
});

test('whatever its tokens follow from makes another entry of the cache', async () => {
  const file = write('rows.jsonl', ROWS);
  await load(file);
  const changes: Record<string, Parameters<typeof load>[1]> = {
    identity: { identity: 'y' },
    max_length: { config: { ...CONFIG, max_length: 8 } },
    train_on: { config: { ...CONFIG, train_on: 'all' } },
    truncation: { config: { ...CONFIG, truncation: 'drop' } },
    role: { role: 'validation' },
    limitedBy: { limitedBy: 'something' },
    embeddingRows: { embeddingRows: 60_000 },
  };
  for (const [what, change] of Object.entries(changes)) expect((await load(file, change)).tokenized, what).toBe(true);
  expect(readdirSync(cache)).toHaveLength(1 + Object.keys(changes).length);
  write('rows.jsonl', ROWS.slice(0, -1));
  const { tokenized, content } = await load(file);
  expect([tokenized, content.length]).toEqual([true, ROWS.length - 2]);
});

test('an entry that isn’t whole is made again', async () => {
  const file = write('rows.jsonl', ROWS);
  const { content } = await load(file);
  const [name] = readdirSync(cache);
  const whole = readFileSync(join(cache, name!));
  for (const damaged of [
    whole.subarray(0, -4),
    whole.subarray(0, 100),
    Buffer.alloc(0),
    Buffer.concat([whole, whole]),
  ]) {
    writeFileSync(join(cache, name!), damaged);
    expect(await load(file), `${damaged.length} bytes`).toMatchObject({ content, tokenized: true });
    expect(readFileSync(join(cache, name!)).equals(whole)).toBe(true);
  }
});

test('rows that can’t be used at all are an error, and nothing is kept', async () => {
  await expect(load(write('bad.jsonl', [{ wrong: 1 }]))).rejects.toThrow(/no dataset format/);
  expect(readdirSync(cache)).toEqual([]);
});

test('excluded rows have tokens of their own', async () => {
  const file = write('excluded.jsonl', ROWS);
  const hash = sourceHash({ kind: 'completion', prompt: 'Row 3', completion: ' is number 3.' });
  const exclude = { file: 'q', rows: [], hashes: new Set([hash]) };
  const all = await load(file);
  const made = await load(file, { exclude });
  expect([all.content.length - made.content.length, made.content.excluded]).toEqual([1, [6]]);
  expect(await load(file, { exclude })).toEqual({ ...made, tokenized: false });
  expect(await load(file)).toEqual({ ...all, tokenized: false });
});
