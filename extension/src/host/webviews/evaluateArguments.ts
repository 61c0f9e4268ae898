// The arguments of the engine's `evaluate` for a result or checkpoint of a run: its base as it was trained, and rows as the run reads
// its own. Pure.
import { textMetrics } from '../../core/evaluation/textMetrics.js';
import { block } from '../../core/runs/runFileKeys.js';
import type { EvaluationTarget } from '../../protocol/evaluationMessages.js';
import type { TestedModel } from '../suites/testedModels.js';
import { textOf } from '../../core/forms/formField.js';

const WORST_ROWS = '20';

/** @param config content of the run's run.json */
export function evaluateArguments(
  { dataset, answers }: Pick<EvaluationTarget, 'dataset' | 'answers'>,
  { settings, adapter }: Pick<TestedModel, 'settings' | 'adapter'>,
  config: object,
): string[] {
  const rows = block(config as Record<string, unknown>, 'dataset');
  const isOwn = rows['train'] === dataset || rows['validation'] === dataset;
  const option = (name: string, value: unknown) => (value === undefined || value === null ? [] : [name, textOf(value)]);
  return [
    ...['evaluate', '--model', settings.model],
    ...option('--adapter', adapter),
    ...['--dataset', dataset],
    ...option('--format', isOwn ? rows['format'] : null),
    ...(isOwn ? columnFlags(rows['columns']) : []),
    ...option('--max-length', rows['max_length']),
    ...option('--train-on', rows['train_on']),
    ...option('--base-weights', settings.base_weights),
    ...option('--precision', settings.precision),
    ...option('--backend', settings.backend),
    ...option('--gpu-adapter', settings.adapter),
    ...option('--threads', settings.threads),
    ...['--worst', WORST_ROWS],
    ...(answers ? ['--metrics', textMetrics.map(({ name }) => name).join(',')] : []),
    '--progress',
  ];
}

function columnFlags(columns: unknown): string[] {
  const pairs = Object.entries((columns ?? {}) as Record<string, string>).map(
    ([field, column]) => `${field}=${column}`,
  );
  return pairs.length > 0 ? ['--columns', ...pairs] : [];
}
