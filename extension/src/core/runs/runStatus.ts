// The status of a run as shown in trees, status bar and dashboard: from its events, and whether its process is alive.
import type { MetricInfo } from '../../protocol/engineEvent.js';
import { metricName, metricValue } from '../metrics/metricText.js';
import { duration } from '../units.js';
import { metricOfRun, VALIDATION_LOSS } from './bestMetric.js';
import type { RunState, RunStatus } from './runState.js';

/**
 * `interrupted`: neither ended nor alive, as after a crash or a reboot; it can be resumed from its latest checkpoint. `exporting`:
 * completed, and its exports are being written. `queued`: on a cluster, it waits for workers. `detached`: no process follows it, while
 * its job on a cluster goes on, or may.
 */
export type RunPhase = RunStatus | 'interrupted' | 'exporting' | 'queued' | 'detached';

export const PHASE_LABELS: Record<RunPhase, string> = {
  starting: 'Starting',
  running: 'Training',
  paused: 'Paused',
  completed: 'Completed',
  stopped: 'Stopped',
  failed: 'Failed',
  interrupted: 'Interrupted',
  exporting: 'Exporting',
  queued: 'Queued',
  detached: 'Detached',
};

/** @param hasJob a job on a cluster has not been followed to its end; one that failed is shown as such */
export function runPhase({ status, started, exporting, queued }: RunState, alive: boolean, hasJob = false): RunPhase {
  if (alive && exporting) return 'exporting';
  if (alive && queued) return 'queued';
  if (alive) return status === 'paused' || status === 'running' ? status : 'starting';
  if (status === 'completed' || status === 'stopped' || status === 'failed') return status;
  if (hasJob) return 'detached';
  return started ? 'interrupted' : 'failed';
}

/** Seconds from its first event to its last, including the time between an interruption and a resume. */
export function runSeconds({ firstTime, lastTime }: RunState): number {
  return firstTime && lastTime ? (Date.parse(lastTime) - Date.parse(firstTime)) / 1000 : 0;
}

/** The loss or metric by which a run is known. */
export interface RunFigure {
  metric: MetricInfo;
  value: number;
  step: number;
}

/** Of the steps. */
const TRAINING_LOSS: MetricInfo = { ...VALIDATION_LOSS, name: 'training_loss', title: 'Training loss' };

/**
 * The figure by which a run is known: its metric for the best model (by default, the validation loss) once that was measured after a
 * step (of a finished run, the best), else the training loss; null before the first step.
 */
export function runFigure(state: RunState): RunFigure | null {
  const { steps, evaluations, completed } = state;
  const metric = metricOfRun(state);
  // A stopped run keeps the weights of its last step, not the best.
  if (completed && completed.reason !== 'stopped' && completed.best_step !== null)
    return { metric, value: (completed.best_metric ?? completed.best_loss)!, step: completed.best_step };
  const [evaluation, last] = [evaluations.row(evaluations.length - 1), steps.row(steps.length - 1)];
  if (evaluation && evaluation['step']! > 0)
    return { metric, value: evaluation[metric.name]!, step: evaluation['step']! };
  return last ? { metric: TRAINING_LOSS, value: last.loss, step: last.step } : null;
}

/** `val loss 0.931`, where there is little space. */
export function shortFigure({ metric, value }: RunFigure): string {
  const short = metricName(metric).replace('validation loss', 'val loss').replace('training loss', 'train loss');
  return `${short} ${metricValue(metric, value)}`;
}

/** `validation loss 0.931 at step 80` */
export function longFigure({ metric, value, step }: RunFigure): string {
  return `${metricName(metric)} ${metricValue(metric, value)} at step ${step}`;
}

/** Such as `2 min`, for estimates, where `m:ss` would be too precise. */
export function roughDuration(seconds: number): string {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`;
  return duration(seconds).replace(/:\d\d$/, ' h');
}
