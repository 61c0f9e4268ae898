// The BCa interval of a paired difference: SciPy's for its resamples, and a true answer where resampling has none.
import { readFileSync } from 'node:fs';
import { describe, expect, it, test } from 'vitest';
import { mcnemar } from '../../../../extension/src/core/statistics/mcnemar.js';
import { differenceInterval, resamples } from '../../../../extension/src/core/statistics/pairedDifference.js';

interface Recorded {
  name: string;
  a: number[];
  b: number[];
  resamples: number[][];
  interval: [number, number];
}
const cases: Recorded[] = JSON.parse(readFileSync('test/fixtures/evaluation/intervals.json', 'utf8'));

describe('as SciPy', () => {
  it.each(cases)('$name', ({ a, b, resamples: rows, interval }) => {
    const differences = a.map((score, i) => score - b[i]!);
    const found = differenceInterval(differences, rows);
    for (const end of [0, 1] as const) expect(found[end]).toBeCloseTo(interval[end], 10);
  });
});

describe('rows that all differ alike', () => {
  // The share of other rows that makes n equal ones as unlikely as a tail.
  const share = (rows: number) => 1 - 0.025 ** (1 / rows);
  const none: number[][] = [];

  test('a single row shows nothing', () => {
    expect(differenceInterval([1], none)).toEqual([1 - 2 * share(1), 1]);
    expect(differenceInterval([0], none)).toEqual([-0.975, 0.975]);
  });

  test('equal models are equal as far as the number of rows shows', () => {
    for (const rows of [2, 10, 1000]) {
      const [low, high] = differenceInterval(Array(rows).fill(0), none);
      expect([low, high]).toEqual([-share(rows), share(rows)]);
    }
  });

  test('agrees with the exact test on when only wins show a difference', () => {
    for (let rows = 1; rows <= 12; rows++) {
      const [low, high] = differenceInterval(Array(rows).fill(1), none);
      expect(low > 0, `${rows} rows`).toBe(mcnemar(rows, 0) < 0.05);
      expect(high).toBe(1);
    }
  });

  test('equal up to rounding is equal', () => {
    const [low, high] = differenceInterval([0.9 - 0.6, 0.6 - 0.3, 0.3], none);
    expect(0.9 - 0.6).not.toBe(0.3);
    expect(low).toBeCloseTo(0.3 - share(3) * 1.3);
    expect(high).toBeCloseTo(0.3 + share(3) * 0.7);
  });
});

test('an interval is finite and ascending for any scores and few resamples', () => {
  let state = 1;
  const int = (limit: number) => (state = (state * 48271) % 2147483647) % limit;
  for (let i = 0; i < 300; i++) {
    const rows = 1 + int(6);
    const differences = Array.from({ length: rows }, () => (int(5) - 2) / 2);
    const [low, high] = differenceInterval(differences, resamples(rows, 1 + int(20), int));
    expect(Number.isFinite(low) && Number.isFinite(high) && low <= high, JSON.stringify(differences)).toBe(true);
  }
});

test('resamples have as many rows, all within the sample', () => {
  let next = 0;
  const drawn = [...resamples(3, 2, limit => next++ % limit)].map(rows => [...rows]);
  expect(drawn).toEqual([
    [0, 1, 2],
    [0, 1, 2],
  ]);
});
