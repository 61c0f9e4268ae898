// The metric by which a run chooses its best checkpoint and stops early (training.metric_for_best_model), and which of its values
// are better: as for Transformers' Trainer and EarlyStoppingCallback. Used by the training loop and by all that shows runs. Pure.
import type { MetricInfo } from '../../protocol/engineEvent.js';
import type { TrainingConfig } from '../../protocol/runConfig.js';
import { metricName } from '../metrics/metricText.js';

/** The loss on validation rows, which every evaluation has. */
export const VALIDATION_LOSS: MetricInfo = {
  name: 'loss',
  title: 'Validation loss',
  better: 'lower',
  unit: 'number',
  follows_loss: true,
};

/**
 * @param name with or without Transformers' `eval_`
 * @param metrics what is measured in addition to the loss
 */
function metricNamed(name: string, metrics: readonly MetricInfo[]): MetricInfo | undefined {
  const bare = name.replace(/^eval_/, '');
  return [VALIDATION_LOSS, ...metrics].find(metric => metric.name === bare);
}

/** The metric of a run that has begun. */
export function metricOfRun({
  started,
  metrics,
}: {
  started: { metric_for_best_model: string } | null;
  metrics: readonly MetricInfo[];
}): MetricInfo {
  return (started && metricNamed(started.metric_for_best_model, metrics)) ?? VALIDATION_LOSS;
}

/** Why a run ended, if evaluations no longer got better. */
export function stoppedEarly(metric: MetricInfo): string {
  return `Stopped early (no better ${metricName(metric)})`;
}

/** The metric of a run file, with the direction that the run gives it; undefined if it isn't measured. */
export function bestMetricOf(
  {
    metric_for_best_model: name,
    greater_is_better: greater,
  }: Pick<TrainingConfig, 'metric_for_best_model' | 'greater_is_better'>,
  metrics: readonly MetricInfo[],
): MetricInfo | undefined {
  const metric = metricNamed(name, metrics);
  return metric && greater !== null ? { ...metric, better: greater ? 'higher' : 'lower' } : metric;
}

/** Whether a checkpoint with this value is the best so far. @param best null before the first */
export function isBetter({ better }: Pick<MetricInfo, 'better'>, value: number, best: number | null): boolean {
  if (best === null) return true;
  return better === 'higher' ? value > best : value < best;
}

/** Whether the value counts for early stopping: by more than the threshold better than the best before it. */
export function hasImproved(
  metric: Pick<MetricInfo, 'better'>,
  value: number,
  best: number | null,
  threshold: number,
): boolean {
  return best === null || (isBetter(metric, value, best) && Math.abs(value - best) > threshold);
}
