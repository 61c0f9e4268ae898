// What a run is called to be doing: what its events say, and whether its process lives. For trees, status bar and dashboard.
import { duration } from '../units.js';
import type { RunState, RunStatus } from './runState.js';

/** `interrupted`: neither ended nor alive, as after a crash or a reboot; it can be resumed where it saved something. */
export type RunPhase = RunStatus | 'interrupted';

export const phaseLabels: Record<RunPhase, string> = {
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

/** Seconds from its first event to its last; what lies between two sittings counts as well. */
export function runSeconds({ firstTime, lastTime }: RunState): number {
  return firstTime && lastTime ? (Date.parse(lastTime) - Date.parse(firstTime)) / 1000 : 0;
}

/** Newest loss of training, or null before the first step. */
export function lastLoss({ steps }: RunState): number | null {
  return steps.row(steps.length - 1)?.loss ?? null;
}

/** `about 2 min`, for glancing at; `m:ss` would pretend to know. */
export function roughDuration(seconds: number): string {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`;
  return duration(seconds).replace(/:\d\d$/, ' h');
}
