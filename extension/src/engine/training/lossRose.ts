// The warning that training made the model worse, for runs on this machine and on a cluster.
import { isBetter, VALIDATION_LOSS } from '../../core/runs/bestMetric.js';
import type { MetricInfo } from '../../protocol/engineEvent.js';
import type { TrainerState } from './checkpoint.js';

/** A run that ends with a loss so far above its first one got worse: the perplexity is 1.6 times as high. */
const WORSE_BY = 0.5;

/** The loss of the last steps is their mean, since that of single batches varies. */
export const LAST_STEPS = 10;

interface EndedRun {
  state: Pick<TrainerState, 'best_step' | 'best_loss' | 'best_metric' | 'initial_loss' | 'initial_metric'>;
  /** The step whose weights are the result. */
  kept: number;
  /** The last evaluation. */
  evaluated: { loss: number; metric: number } | null;
  /** Of the last LAST_STEPS. */
  stepLosses: readonly number[];
  bestMetric: MetricInfo;
  /** Whether the run has validation rows. */
  validated: boolean;
  learningRate: number;
}

/** @returns null if it didn't rise, or if a metric by which the run is measured got better */
export function howLossRose(run: EndedRun): string | null {
  const { kept, evaluated, stepLosses, bestMetric, validated, learningRate } = run;
  const { best_step: bestStep, best_loss: bestLoss, best_metric: bestValue } = run.state;
  const { initial_loss: initial, initial_metric: initialValue } = run.state;
  if (bestMetric.name !== VALIDATION_LOSS.name) {
    const value = kept === bestStep ? bestValue : (evaluated?.metric ?? null);
    if (value !== null && initialValue !== null && isBetter(bestMetric, value, initialValue)) return null;
  }
  const mean = stepLosses.reduce((sum, loss) => sum + loss, 0) / stepLosses.length;
  const loss = validated ? (kept === bestStep ? bestLoss : (evaluated?.loss ?? null)) : mean;
  if (initial === null || loss === null || !(loss > initial + WORSE_BY)) return null;
  const what = validated ? 'validation loss' : 'training loss';
  return `the ${what} rose from ${initial.toFixed(3)} to ${loss.toFixed(3)}: training made the model worse; ${whatHelps(learningRate)}`;
}

export function whatHelps(learningRate: number): string {
  return `a lower learning_rate (currently ${learningRate}), a warm-up or max_grad_norm usually helps`;
}
