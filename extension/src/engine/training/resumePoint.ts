// The checkpoint from which a run goes on. Damaged ones are passed over with a warning, before anything is loaded; called by
// run/prepareRun.ts. Also finds the last good checkpoint of a run that fails.
import { InputError } from '../../core/inputError.js';
import type { RunFolder } from '../runFolder/runFolder.js';
import { inspectCheckpoint, type TrainerState } from './checkpoint.js';

export interface ResumePoint {
  step: number;
  state: TrainerState;
}

/**
 * The latest checkpoint that is intact. If the best one at that time is damaged or missing and an earlier checkpoint can make it
 * again, the earlier one: the run then ends as if nothing had happened.
 * @returns null if the run has no checkpoint yet
 * @throws InputError with the code `checkpoint_damaged` if all of them are damaged
 */
export function findResumePoint(folder: RunFolder, warn: (code: string, message: string) => void): ResumePoint | null {
  const steps = folder.checkpointFolders().toReversed();
  const inspected = new Map<number, ReturnType<typeof inspectCheckpoint>>();
  const stateAt = (step: number): TrainerState | null => {
    const known = inspected.get(step) ?? inspectCheckpoint(folder.checkpoint(step));
    inspected.set(step, known);
    return 'state' in known ? known.state : null;
  };
  const lostBest = ({ best_step: best, step, run }: TrainerState) =>
    best === null || best === step || !choosesBest(run) || (steps.includes(best) && stateAt(best)) ? null : best;

  let point: ResumePoint | null = null;
  let before = Infinity;
  for (const step of steps) {
    const state = step < before ? stateAt(step) : null;
    if (!state) continue;
    const lost = lostBest(state);
    if (point === null || lost === null) point = { step, state };
    if (lost === null) break;
    // All that were saved since then lack the same one.
    before = lost;
  }

  const damaged = [...inspected].flatMap(([step, found]) => ('damage' in found ? [{ step, ...found }] : []));
  if (point === null && damaged.length > 0)
    throw new InputError(`no checkpoint of this run can be used; ${damaged[0]!.damage}`, {
      code: 'checkpoint_damaged',
      file: folder.path,
      hint: 'Restore a checkpoint from a copy, or start a new run.',
    });
  if (point === null) return null;
  const goesOn = `the run goes on from step ${point.step}`;
  for (const { step, damage } of damaged)
    warn('checkpoint_damaged', `checkpoints/step-${step} is damaged (${damage}); ${goesOn}`);
  if (before < Infinity && !steps.includes(before))
    warn('checkpoint_missing', `checkpoints/step-${before}, the best one, is missing; ${goesOn}`);
  return point;
}

/** The step of the latest checkpoint that is intact; null if there is none. */
export function lastGoodCheckpoint(folder: RunFolder): number | null {
  return folder.checkpointFolders().findLast(step => 'state' in inspectCheckpoint(folder.checkpoint(step))) ?? null;
}

function choosesBest(run: TrainerState['run']): boolean {
  const { load_best_model_at_end: isChosen } = (run?.training ?? {}) as { load_best_model_at_end?: unknown };
  return isChosen !== false;
}
