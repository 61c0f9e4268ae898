// A comparison in words: counts in singular and plural, signs, and what an interval shows.
import { expect, test } from 'vitest';
import { comparisonText } from '../../../../extension/src/core/evaluation/comparisonText.js';

const comparison = { a: 'pirate', b: 'base', wins: 12, losses: 3, ties: 25, p_value: 0.03515625 };

test.each<[[number, number], string]>([
  [[0.07512, 0.375], 'score +0.075 to +0.375 at 95%: pirate scores higher'],
  [[-0.3, -0.01], 'score -0.300 to -0.010 at 95%: base scores higher'],
  [[-0.1, 0.2], 'score -0.100 to +0.200 at 95%: no difference shown'],
  [[0, 0.2], 'score +0.000 to +0.200 at 95%: no difference shown'],
])('an interval of %j', (interval, words) => {
  expect(comparisonText({ ...comparison, interval })).toBe(
    `pirate against base: 12 wins, 3 losses, 25 ties (p = 0.035); ${words}`,
  );
});

test('one of each', () => {
  expect(comparisonText({ ...comparison, wins: 1, losses: 1, ties: 1, p_value: 1, interval: [-1, 1] })).toMatch(
    /: 1 win, 1 loss, 1 tie \(p = 1\.0\);/,
  );
});
