// McNemar's exact test against SciPy's binomtest.
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { mcnemar } from '../../../../extension/src/core/statistics/mcnemar.js';

const cases: { wins: number; losses: number; p: number }[] = JSON.parse(
  readFileSync('test/fixtures/evaluation/mcnemar.json', 'utf8'),
);

it.each(cases)('$wins wins, $losses losses', ({ wins, losses, p }) => {
  expect(Math.abs(mcnemar(wins, losses) - p)).toBeLessThanOrEqual(1e-9 * p);
  expect(mcnemar(losses, wins)).toBe(mcnemar(wins, losses));
});
