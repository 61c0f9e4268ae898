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

/** Latest training loss; null before the first step. */
export function lastLoss({ steps }: RunState): number | null {
  return steps.row(steps.length - 1)?.loss ?? null;
}

/** Such as `2 min`, for estimates, where `m:ss` would be too precise. */
export function roughDuration(seconds: number): string {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`;
  return duration(seconds).replace(/:\d\d$/, ' h');
}
