// The order in which rows are shown, and which ones are suspected of a wrong answer.
import { expect, test } from 'vitest';
import { excessOverAlike } from '../../../../extension/src/core/data/excessOverAlike.js';
import { orderedRows } from '../../../../extension/src/core/data/rowOrder.js';

const row = (question: string, now: number, before: number | null = null) => ({ question, now, before });

test('highest, lowest and most changed, equal ones in their order', () => {
  const rows = [row('a', 2, 3), row('b', 5, null), row('c', 0.5, 9), row('d', 2, 1), row('e', 5, 4.5)];
  const names = (by: Parameters<typeof orderedRows>[1]) =>
    orderedRows(rows, by)
      .map(({ question }) => question)
      .join('');
  expect(names('highest')).toBe('beadc');
  expect(names('lowest')).toBe('cadbe');
  expect(names('changed')).toBe('cadeb');
});

test('a row is suspect if rows that ask alike have lower losses, whatever other rows have', () => {
  const labels = Array.from({ length: 20 }, (_, i) => row(`Is number ${i} an animal or a plant?`, i === 7 ? 1.5 : 0.1));
  const codes = Array.from({ length: 20 }, (_, i) => row(`Write a code for door ${i + 100}`, 5 + (i % 3) / 10));
  const rows = [...codes, ...labels];
  const scores = excessOverAlike(rows);
  expect(scores[27]).toBeCloseTo(1.4, 10);
  expect(Math.max(...scores.filter((_, i) => i !== 27))).toBeLessThan(0.3);
  expect(orderedRows(rows, 'suspect')[0]).toBe(labels[7]);
  expect(orderedRows(rows, 'highest')[0]!.question).toMatch('code');
});

test('rows without words in common are compared with all', () => {
  expect(excessOverAlike([row('', 1), row('one', 2), row('two', 6)])).toEqual([-1, 0, 4]);
  expect(excessOverAlike([row('x', 3)])).toEqual([0]);
  expect(excessOverAlike([])).toEqual([]);
});

test('of many rows that ask the same, a few are compared', () => {
  const rows = Array.from({ length: 20_000 }, (_, i) => row('the same question again and again', i % 10 === 0 ? 2 : 1));
  const scores = excessOverAlike(rows);
  expect(scores.filter(score => score === 1)).toHaveLength(2000);
});
