// What the run panel says of training data before a start, against what the engine does with the same file.
import { mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createTokenizer } from '../../../../extension/src/core/text/huggingFaceTokenizer.js';
import { loadDataset } from '../../../../extension/src/engine/data/loadDataset.js';
import { readTokenizer } from '../../../../extension/src/engine/files/huggingfaceFolder.js';
import { DatasetWorkerClient } from '../../../../extension/src/host/datasets/datasetWorkerClient.js';
import { FileWatch } from '../../../../extension/src/host/datasets/fileWatch.js';
import type { RunFileReference } from '../../../../extension/src/host/datasets/runFileReferences.js';
import { TrainingDataSource } from '../../../../extension/src/host/datasets/trainingData.js';
import { datasetConfigSchema, type DatasetConfig } from '../../../../extension/src/protocol/datasetConfig.js';
import { bundleDatasetWorker, root, type BundledWorker } from '../../../support/datasetWorker.js';

vi.mock('vscode', () => ({ Uri: { file: (fsPath: string) => ({ fsPath }) } }));

const tiny = join(root, 'media/models/tiny');
let bundled: BundledWorker;
let client: DatasetWorkerClient;
let folder: string;
let missingModel: string | null = null;
let source: TrainingDataSource;
const asked = vi.fn();

beforeAll(async () => {
  bundled = await bundleDatasetWorker();
  client = new DatasetWorkerClient(bundled.script, error => {
    throw error;
  });
  folder = mkdtempSync(join(tmpdir(), 'tunewright-data-'));
  const open = client.open.bind(client);
  client.open = (...args) => (asked(), open(...args));
  source = new TrainingDataSource(client, { of: async (_uri, run) => reading(run!) }, new FileWatch());
});
afterAll(() => {
  client.dispose();
  bundled.remove();
  rmSync(folder, { recursive: true });
});

function reading({ dataset }: RunFileReference) {
  const { format, columns, max_length: maxLength, train_on: trainOn, truncation } = dataset;
  const settings = { format, columns, maxLength, trainOn, truncation, chatTemplate: null, tokenizerFolder: tiny };
  return { runFile: null, model: 'embedded:tiny', missingModel, settings: { ...settings, compareWith: null } };
}

const draftFile = () => ({ fsPath: join(folder, 'draft.json') }) as never;

function write(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

function factsOf(train: string, options: object = {}) {
  return source.factsOf({ model: 'embedded:tiny', dataset: { train, max_length: 64, ...options } }, draftFile());
}

/** The engine's error; null if the file can be trained on. */
async function engineError(file: string, options: Partial<DatasetConfig>): Promise<string | null> {
  try {
    const dataset = await loadDataset({
      file,
      config: datasetConfigSchema.parse({ train: file, max_length: 64, ...options }),
      tokenizer: createTokenizer(readTokenizer(tiny)!),
      role: 'train',
      onWarning: () => {},
    });
    dataset.close();
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

const good = (i: number) => JSON.stringify({ prompt: `What is ${i}?`, completion: `A number: ${i}.` });
const rows = (number: number, ...others: string[]) =>
  [...Array.from({ length: number }, (_, i) => good(i)), ...others].map(row => `${row}\n`).join('');
const long = JSON.stringify({ prompt: 'Why?', completion: 'and more '.repeat(100) });
const late = JSON.stringify({ prompt: 'and more '.repeat(100), completion: 'No.' });
const bad = ['{"prompt": [oops', '{"prompt": "a"}', '{"prompt": 1, "completion": 2}'];
const answers = JSON.stringify({ prompt: 'a', chosen: 'b', rejected: 'c' });
const question = JSON.stringify({ messages: [{ role: 'user', content: 'Hi' }] });

describe('the end that is announced is the engine’s', () => {
  test.each<[string, string, string, Partial<DatasetConfig>, RegExp | null]>([
    ['good rows', 'good.jsonl', rows(3), {}, null],
    ['one bad row of four', 'one.jsonl', rows(3, bad[0]!), {}, null],
    ['three bad rows of six', 'half.jsonl', rows(3, ...bad), {}, null],
    ['two bad rows of 20', 'two.jsonl', rows(18, bad[0]!, bad[1]!), {}, null],
    ['three bad rows of 20', 'three.jsonl', rows(17, ...bad), {}, /3 of 20 rows can’t be used/],
    ['a bad row that is an error', 'strict.jsonl', rows(3, bad[1]!), { on_bad_row: 'error' }, /on_bad_row/],
    ['a long row', 'long.jsonl', rows(3, long), {}, null],
    [
      'a long row that is an error',
      'refused.jsonl',
      rows(3, long),
      { truncation: 'error' },
      /exceed max_length \(64\)/,
    ],
    ['a long row that is dropped', 'dropped.jsonl', rows(3, long), { truncation: 'drop' }, null],
    ['only long rows that are dropped', 'all.jsonl', `${long}\n`, { truncation: 'drop' }, /no row is left/],
    ['only answers beyond max_length', 'late.jsonl', `${late}\n`, {}, /no row is left/],
    ['no answer', 'questions.jsonl', `${question}\n${question}\n`, {}, /no row is left.*a question without an answer/],
    [
      'rows that Python printed',
      'python.jsonl',
      "{'prompt': 'a', 'completion': 'b'}\n",
      {},
      /no row is left.*invalid JSON/,
    ],
    ['nothing but broken rows', 'broken.jsonl', '{"prompt": \n', {}, /no row is left/],
    ['no rows', 'empty.jsonl', '', {}, /has no rows/],
    ['no format', 'config.json', '{"model_type": "llama", "hidden_size": 64}', {}, /fits no dataset format/],
    ['a list that isn’t closed', 'open.json', `[${good(1)}, ${good(2)}`, {}, /invalid JSON/],
    ['a header without rows', 'header.csv', 'prompt,completion\n', {}, /has no rows/],
    ['pairs of answers', 'pairs.jsonl', `${answers}\n`, {}, /format preference yet.*\n?.*{"completion": "chosen"}/],
    ['pairs whose chosen answer is mapped', 'pairs.jsonl', `${answers}\n`, { columns: { completion: 'chosen' } }, null],
    ['another format than named', 'named.jsonl', rows(2), { format: 'alpaca' }, /no row is left/],
  ])('%s', async (_, name, text, options, end) => {
    const path = write(name, text);
    const facts = await factsOf(path, options);
    const error = await engineError(path, options);
    expect([facts!.train.end !== null, error !== null]).toEqual([end !== null, end !== null]);
    if (end) expect(facts!.train.end!.text).toMatch(end);
  });
});

test('rows with problems are counted, with the first line of each kind', async () => {
  const empty = JSON.stringify({ prompt: 'Hi', completion: '' });
  const path = write('kinds.jsonl', rows(17, bad[0]!, empty, long));
  const { train } = (await factsOf(path))!;
  expect(train.summary).toBe('Prompt and completion · 20 rows');
  expect(train.notes).toEqual([
    { text: '1 row can’t be used, left out', line: 18 },
    { text: '1 row with an empty answer, trained on', line: 19 },
    { text: '1 row longer than max_length (64), truncated', line: 20 },
  ]);
  expect(train.end).toBeNull();
});

test('a file that is not changed is read once for each way of reading it', async () => {
  const path = write('kept.jsonl', rows(3));
  asked.mockClear();
  await factsOf(path);
  await factsOf(path);
  expect(asked).toHaveBeenCalledTimes(1);
  // How problems are handled changes what is said, not what is counted.
  await factsOf(path, { on_bad_row: 'error' });
  expect(asked).toHaveBeenCalledTimes(1);
  await factsOf(path, { max_length: 32 });
  expect(asked).toHaveBeenCalledTimes(2);
  const { mtimeMs } = statSync(path);
  utimesSync(path, new Date(), new Date(mtimeMs + 10_000));
  expect((await factsOf(path, { max_length: 32 }))!.train.summary).toMatch(/3 rows/);
  expect(asked).toHaveBeenCalledTimes(3);
});

test('the validation file is checked as well; held-out rows have no file', async () => {
  const train = write('train.jsonl', rows(3));
  const validation = write('validation.jsonl', rows(17, ...bad));
  expect((await factsOf(train, { validation }))!.validation!.end!.text).toMatch(/3 of 20 rows/);
  expect((await factsOf(train, { validation: 0.1 }))!.validation).toBeNull();
});

test('without the model’s tokenizer, only what doesn’t depend on it is said', async () => {
  missingModel = 'org/name';
  const path = write('unknown.jsonl', rows(3, bad[0]!, long));
  const { train } = (await factsOf(path, { truncation: 'error' }))!;
  missingModel = null;
  expect(train.notes).toEqual([{ text: '1 row can’t be used, left out', line: 4 }]);
  expect(train.end).toBeNull();
});

test('nothing is said of a file that isn’t there, or of an incomplete draft', async () => {
  expect(await factsOf(resolve(folder, 'none.jsonl'))).toBeNull();
  expect(await factsOf(dirname(folder))).toBeNull();
  expect(await source.factsOf({ model: 'embedded:tiny' }, draftFile())).toBeNull();
  expect(await factsOf(write('x.jsonl', rows(1)), { max_length: 'many' })).toBeNull();
});
