import { expect, test } from 'vitest';
import { splitRows } from '../../../../extension/src/engine/data/split.js';

const rows = (length: number, leftOut: string[] = []) => ({ length, leftOut });

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
