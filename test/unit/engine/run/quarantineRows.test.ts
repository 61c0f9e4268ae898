// Rows go into quarantine and come out of it, by line and by hash, while the dataset stays as it is.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeEach, expect, test } from 'vitest';
import {
  changeQuarantine,
  quarantinedDataset,
  type RowName,
} from '../../../../extension/src/engine/run/quarantineRows.js';
import { workplace } from '../../../support/cli.js';
import { inputErrorOf } from '../../../support/inputErrors.js';

const place = workplace();
afterAll(() => place.remove());

const pair = (prompt: string) => ({ prompt, completion: ' x' });
const ROWS = [pair('a'), pair('b'), pair(' a '), pair('c')];
beforeEach(() => void place.write('data.jsonl', ROWS));
const file = place.file('data.jsonl');

const change = (add: RowName[], remove: RowName[] = [], path = file) =>
  changeQuarantine(quarantinedDataset(path, 'auto'), { add, remove });
const linesOf = ({ rows }: Awaited<ReturnType<typeof change>>) => rows.map(({ line, lines }) => [line, lines]);

test('equal rows are one; edits elsewhere move a row, edits of it free it; nothing is written to the dataset', async () => {
  const before = readFileSync(file, 'utf8');
  const put = await change([{ line: 3 }, { line: 4 }, { line: 1 }]);
  expect(put).toMatchObject({ file: `${file}.quarantine`, dataset: file });
  expect(linesOf(put)).toEqual([
    [3, [1, 3]],
    [4, [4]],
  ]);
  expect(put.rows.map(({ text }) => text)).toEqual(['a →  x', 'c →  x']);
  expect(readFileSync(file, 'utf8')).toBe(before);

  place.write('data.jsonl', [pair('new'), ...ROWS.slice(0, 3), pair('c!')]);
  const moved = await change([]);
  expect(linesOf(moved)).toEqual([
    [3, [2, 4]],
    [4, []],
  ]);
  // By its line now, by its line then, by its hash.
  expect(linesOf(await change([], [{ line: 4 }]))).toEqual([[4, []]]);
  expect(linesOf(await change([{ line: 5 }], [{ line: 4 }]))).toEqual([[5, [5]]]);
  const { hash } = (await change([])).rows[0]!;
  expect(linesOf(await change([], [{ hash }]))).toEqual([]);
});

test('the rows of a run go into the file that it names', async () => {
  mkdirSync(place.file('run'), { recursive: true });
  const config = (exclude: string | null) => ({
    model: 'base',
    dataset: { train: place.file('asked.jsonl'), columns: { prompt: 'q', completion: 'a' }, exclude },
    method: { peft_type: 'LORA' },
  });
  place.write('asked.jsonl', [{ q: 'Who?', a: 'I.' }]);
  for (const [exclude, named] of [
    [null, 'asked.jsonl.quarantine'],
    ['../wrong.quarantine', 'wrong.quarantine'],
  ] as const) {
    writeFileSync(place.file('run', 'run.json'), JSON.stringify(config(exclude)));
    expect(await change([{ line: 1 }], [], place.file('run'))).toMatchObject({
      file: place.file(named),
      rows: [{ line: 1, text: 'Who? → I.' }],
    });
  }
});

test.each([
  [[{ line: 5 }], [], 'no row that can be used begins at line 5', '--add'],
  [[{ hash: `sha256:${'0'.repeat(64)}` }], [], `no row of the dataset has the hash sha256:${'0'.repeat(64)}`, '--add'],
  [[], [{ line: 2 }], 'line 2 is not in quarantine', '--remove'],
  [[{ line: 1 }], [{ line: 3 }], 'the row of line 1 is to be both added and removed', '--remove'],
] as [RowName[], RowName[], string, string][])('add %j, remove %j: %s', async (add, remove, message, key) => {
  const name = `data${message.length}.jsonl`;
  place.write(name, ROWS);
  if (message.endsWith('removed')) await change([{ line: 1 }], [], place.file(name));
  const error = await inputErrorOf(() => change(add, remove, place.file(name)));
  expect(error.record()).toMatchObject({ message, key, hint: expect.any(String) as string });
});

test('of several rows in a line, one is named by its hash', async () => {
  const path = place.write('line.json', JSON.stringify(ROWS));
  const error = await inputErrorOf(() => change([{ line: 1 }], [], path));
  expect(error.message).toBe('4 rows begin at line 1');
  expect(error.hint).toMatch('tunewright rows --json');
  const [row] = (await change([{ line: 2 }])).rows;
  expect(linesOf(await change([{ hash: row!.hash }], [], path))).toEqual([[1, [1]]]);
});

test('two that change the file at the same time keep each other’s rows', async () => {
  await Promise.all([change([{ line: 2 }]), change([{ line: 4 }])]);
  expect(linesOf(await change([]))).toEqual([
    [2, [2]],
    [4, [4]],
  ]);
});
