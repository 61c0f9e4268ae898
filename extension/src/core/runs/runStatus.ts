// The status of a run as shown in trees, status bar and dashboard: from its events, and whether its process is alive.
import { duration } from '../units.js';
import type { RunState, RunStatus } from './runState.js';

/** `interrupted`: neither ended nor alive, as after a crash or a reboot; it can be resumed from its latest checkpoint. */
export type RunPhase = RunStatus | 'interrupted';

export const PHASE_LABELS: Record<RunPhase, string> = {
  starting: 'Starting',
  running: 'Training',
  paused: 'Paused',
  completed: 'Completed',
  stopped: 'Stopped',
  failed: 'Failed',
  interrupted: 'Interrupted',
};

export function runPhase({ status, started }: RunState, alive: boolean): RunPhase {
  if (alive) return status === 'paused' || status === 'running' ? status : 'starting';
  if (status === 'completed' || status === 'stopped' || status === 'failed') return status;
  return started ? 'interrupted' : 'failed';
}

/** Seconds from its first event to its last, including the time between an interruption and a resume. */
export function runSeconds({ firstTime, lastTime }: RunState): number {
  return firstTime && lastTime ? (Date.parse(lastTime) - Date.parse(firstTime)) / 1000 : 0;
}

/** A loss and what it was measured on. */
export interface RunLoss {
  of: 'validation' | 'training';
  value: number;
  step: number;
}

/**
 * The loss by which a run is known: of validation once it was measured after a step (of a finished run, the best), else
 * of training; null before the first step.
 */
export function runLoss({ steps, evaluations, completed }: RunState): RunLoss | null {
  // A stopped run keeps the weights of its last step, not the best.
  if (completed && completed.reason !== 'stopped' && completed.best_loss !== null)
    return { of: 'validation', value: completed.best_loss, step: completed.best_step! };
  const [evaluation, last] = [evaluations.row(evaluations.length - 1), steps.row(steps.length - 1)];
  if (evaluation && evaluation['step']! > 0)
    return { of: 'validation', value: evaluation['loss']!, step: evaluation['step']! };
  return last ? { of: 'training', value: last.loss, step: last.step } : null;
}

/** `val loss 0.931`, where there is little space. */
export function shortLoss({ of, value }: RunLoss): string {
  return `${of === 'validation' ? 'val' : 'train'} loss ${value.toFixed(3)}`;
}

/** `validation loss 0.931 at step 80` */
export function longLoss({ of, value, step }: RunLoss): string {
  return `${of} loss ${value.toFixed(3)} at step ${step}`;
}

/** Such as `2 min`, for estimates, where `m:ss` would be too precise. */
export function roughDuration(seconds: number): string {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`;
  return duration(seconds).replace(/:\d\d$/, ' h');
}
