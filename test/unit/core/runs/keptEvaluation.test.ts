import { expect, it } from 'vitest';
import { keptEvaluation } from '../../../../extension/src/core/runs/keptEvaluation.js';
import { MetricColumns } from '../../../../extension/src/core/runs/metricColumns.js';

const evaluations = [
  { step: 5, loss: 1 },
  { step: 10, loss: 2 },
].reduce((columns, row) => columns.append(row), MetricColumns.empty(['step', 'loss']));

it.each<[string, boolean, { reason: string; best_step: number | null; step: number } | null, number | undefined]>([
  ['the best step', true, { reason: 'max_steps', best_step: 5, step: 10 }, 1],
  [
    'the last step, which it keeps without load_best_model_at_end',
    false,
    { reason: 'max_steps', best_step: 5, step: 10 },
    2,
  ],
  ['the last step, which a stopped run keeps', true, { reason: 'stopped', best_step: 5, step: 10 }, 2],
  ['a stop after its last evaluation', true, { reason: 'stopped', best_step: 5, step: 12 }, undefined],
  ['no evaluation', true, { reason: 'max_steps', best_step: null, step: 12 }, undefined],
  ['no result yet', true, null, undefined],
])('of a run with %s', (_, load_best_model_at_end, completed, loss) => {
  expect(keptEvaluation({ load_best_model_at_end }, { completed, evaluations } as never)?.['loss']).toBe(loss);
});
