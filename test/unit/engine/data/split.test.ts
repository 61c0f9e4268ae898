import { expect, test } from 'vitest';
import { splitRows } from '../../../../extension/src/engine/data/split.js';

test('splits by the seed only, each row once, in file order', () => {
  const { train, validation } = splitRows(50, 0.1, 42);
  expect(validation).toHaveLength(5);
  expect([...train, ...validation].sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i));
  expect([...train]).toEqual([...train].sort((a, b) => a - b));
  expect(splitRows(50, 0.1, 42)).toEqual({ train, validation });
  expect(splitRows(50, 0.1, 43).validation).not.toEqual(validation);
});

test('holds out at least one row, never all; a single row is an error', () => {
  expect(splitRows(3, 0.01, 1).validation).toHaveLength(1);
  expect(splitRows(3, 0.99, 1).train).toHaveLength(1);
  expect(() => splitRows(1, 0.5, 1)).toThrow(/1 row can't be split/);
});
