import type { RunConfig } from '../../protocol/runConfig.js';
import type { RunState } from './runState.js';

/** The evaluation of the weights that are the result of a run; undefined if it has none, or they weren't evaluated. */
export function keptEvaluation(
  { load_best_model_at_end: keepsBest }: Pick<RunConfig['training'], 'load_best_model_at_end'>,
  { completed, evaluations }: Pick<RunState, 'completed' | 'evaluations'>,
): Partial<Record<string, number>> | undefined {
  if (!completed) return undefined;
  // A run that was stopped keeps its last weights, so that it can be continued.
  const best = keepsBest && completed.reason !== 'stopped' ? completed.best_step : null;
  return evaluations.row(evaluations.column('step').lastIndexOf(best ?? completed.step));
}
