// The metric that chooses the best checkpoint: its name, its direction, and the choices that Transformers made of recorded values.
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { bestMetricOf, hasImproved, isBetter } from '../../../../extension/src/core/runs/bestMetric.js';
import { textMetrics } from '../../../../extension/src/core/evaluation/textMetrics.js';

const { cases } = JSON.parse(readFileSync('test/fixtures/training/bestModel.json', 'utf8')) as {
  cases: {
    values: number[];
    better: 'lower' | 'higher';
    threshold: number;
    best: boolean[];
    without_improvement: number[];
  }[];
};

it.each([
  ['loss', null, 'loss', 'lower'],
  ['eval_loss', true, 'loss', 'higher'],
  ['rougeL', null, 'rougeL', 'higher'],
  ['eval_exact_match', false, 'exact_match', 'lower'],
])('%s with greater_is_better %j is %s, %s values of which are better', (name, greater, metric, better) => {
  const found = bestMetricOf({ metric_for_best_model: name, greater_is_better: greater }, textMetrics);
  expect(found).toMatchObject({ name: metric, better });
});

it('is undefined if it is not measured', () => {
  expect(bestMetricOf({ metric_for_best_model: 'bleu', greater_is_better: null }, textMetrics)).toBeUndefined();
});

it.each(cases.map(each => [each.values.join(' '), each.better, each.threshold, each] as const))(
  'of %s (%s is better, threshold %d) the best ones and those without improvement are those of Transformers',
  (_, better, threshold, { values, best, without_improvement: counts }) => {
    let bestSoFar: number | null = null;
    let count = 0;
    for (const [i, expected] of best.entries()) {
      const value = values[i]!;
      count = hasImproved({ better }, value, bestSoFar, threshold) ? 0 : count + 1;
      expect(count, `evaluation ${i}`).toBe(counts[i]);
      expect(isBetter({ better }, value, bestSoFar), `evaluation ${i}`).toBe(expected);
      if (expected) bestSoFar = value;
    }
  },
);
