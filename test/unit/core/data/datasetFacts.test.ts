// What is said of a dataset before a run. That the end it announces is the engine's: test/unit/host/datasets/trainingData.test.ts.
import { describe, expect, test } from 'vitest';
import { datasetFacts, type DatasetCounts } from '../../../../extension/src/core/data/datasetFacts.js';
import type { RowHandling } from '../../../../extension/src/core/data/usableRows.js';

const none = { count: 0, first: null };
const counts: DatasetCounts = {
  format: 'Prompt and completion',
  error: null,
  rows: 30,
  usable: 30,
  bad: none,
  tooLong: none,
  masked: none,
  empty: none,
  maxLength: 128,
};
const skip: RowHandling = { onBadRow: 'skip', truncation: 'end' };
const some = (count: number, line = 5, message = 'invalid JSON') => ({ count, first: { line, message } });

test('format, rows, and what is left out or truncated, each with its first line', () => {
  expect(datasetFacts(counts, skip)).toEqual({ summary: 'Prompt and completion · 30 rows', notes: [], end: null });
  const facts = datasetFacts(
    { ...counts, usable: 26, bad: some(3), masked: some(1, 7), empty: some(2, 9), tooLong: some(4, 11) },
    skip,
  );
  expect(facts.end).toBeNull();
  expect(facts.notes).toEqual([
    { text: '3 rows can’t be used, left out', line: 5 },
    { text: '1 row with nothing to train on, left out', line: 7 },
    { text: '2 rows with an empty answer, trained on', line: 9 },
    { text: '4 rows longer than max_length (128), truncated', line: 11 },
  ]);
});

describe('what would end the run', () => {
  test.each<[string, Partial<DatasetCounts>, RowHandling, RegExp, number | null]>([
    [
      'too many',
      { bad: some(4), usable: 26 },
      skip,
      /: 4 of 30 rows can’t be used, more than a tenth\. The first, line 5: invalid JSON\.$/,
      5,
    ],
    [
      'one, with on_bad_row "error"',
      { bad: some(1) },
      { ...skip, onBadRow: 'error' },
      /1 row can’t be used, and on_bad_row is "error"/,
      5,
    ],
    ['too long', { tooLong: some(2, 8, 'x') }, { ...skip, truncation: 'error' }, /2 rows exceed max_length \(128\)/, 8],
    [
      'nothing left',
      { usable: 0, masked: some(30, 1, 'no answer') },
      skip,
      /no row is left to train on\. The first, line 1: no answer/,
      1,
    ],
    ['no rows', { rows: 0, usable: 0 }, skip, /the dataset has no rows/, null],
    [
      'no format',
      { error: 'the row fits no dataset format', format: null },
      skip,
      /the row fits no dataset format/,
      null,
    ],
  ])('%s', (_, changes, handling, message, line) => {
    const { end } = datasetFacts({ ...counts, ...changes }, handling);
    expect(end?.text).toMatch(message);
    expect(end?.line).toBe(line);
  });
});
