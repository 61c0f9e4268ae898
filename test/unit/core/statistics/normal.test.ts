// The normal distribution against SciPy's, and at its ends.
import { readFileSync } from 'node:fs';
import { expect, it, test } from 'vitest';
import { normalCdf, normalQuantile } from '../../../../extension/src/core/statistics/normal.js';

const quantiles: { p: number; x: number }[] = JSON.parse(
  readFileSync('test/fixtures/evaluation/quantiles.json', 'utf8'),
);

it.each(quantiles)('quantile of $p', ({ p, x }) => {
  // Beside 1, a double has p to 1e-16 only.
  const precision = Math.max(1e-13, 4e-16 / Math.min(p, 1 - p));
  expect(Math.abs(normalQuantile(p) - x)).toBeLessThan(precision * Math.max(1, Math.abs(x)));
  expect(Math.abs(normalCdf(x) - p)).toBeLessThan(1e-15);
});

test('ends', () => {
  expect([normalQuantile(0), normalQuantile(1)]).toEqual([-Infinity, Infinity]);
  expect([normalCdf(-40), normalCdf(40), normalCdf(-Infinity), normalCdf(Infinity)]).toEqual([0, 1, 0, 1]);
});
