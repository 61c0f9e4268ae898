import { expect, test } from 'vitest';
import { splitRows } from '../../../../extension/src/engine/data/split.js';

const rows = (length: number, leftOut: string[] = [], excluded: number[] = []) => ({ length, leftOut, excluded });

test('splits by the seed only, each row once, in file order', () => {
  const { train, validation } = splitRows(rows(50), 0.1, 42);
  expect(validation).toHaveLength(5);
  expect([...train, ...validation].sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i));
  expect([...train]).toEqual([...train].sort((a, b) => a - b));
  expect(splitRows(rows(50), 0.1, 42)).toEqual({ train, validation });
  expect(splitRows(rows(50), 0.1, 43).validation).not.toEqual(validation);
});

test('holds out at least one row, never all; a single row is an error', () => {
  expect(splitRows(rows(3), 0.01, 1).validation).toHaveLength(1);
  expect(splitRows(rows(3), 0.99, 1).train).toHaveLength(1);
  expect(() => splitRows(rows(1), 0.5, 1)).toThrow(/1 row can't be split/);
  expect(() => splitRows(rows(1, ['2 rows: why']), 0.5, 1)).toThrow(/; left out:\n  2 rows: why/);
});

test('divides the others as without exclusion', () => {
  const all = splitRows(rows(20), 0.25, 7);
  const excluded = [all.validation[1]!, all.train[0]!, all.train[9]!].sort((a, b) => a - b);
  /** Indices of rows without the excluded ones, as positions among all rows. */
  const places = Array.from({ length: 20 }, (_, place) => place).filter(place => !excluded.includes(place));
  const rest = splitRows(rows(17, [], excluded), 0.25, 7);
  for (const name of ['train', 'validation'] as const) {
    expect(Array.from(rest[name], index => places[index])).toEqual([...all[name]].filter(p => !excluded.includes(p)));
    expect(() => splitRows(rows(20 - all[name].length, [], [...all[name]]), 0.25, 7)).toThrow(
      name === 'train' ? 'all training rows are excluded' : 'all validation rows are excluded',
    );
  }
});
