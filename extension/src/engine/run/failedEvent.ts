// The event that ends a run that failed, with the fields of the error record. Written by the run once its folder is claimed,
// by the `train` command where it failed before that.
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { errorRecord } from '../../core/codedError.js';
import type { EngineEventBody } from '../../protocol/engineEvent.js';
import { EventWriter } from '../runFolder/eventLog.js';
import { RunFolder } from '../runFolder/runFolder.js';
import { DivergedError } from '../training/trainer.js';
import { otherProcess } from './runProcess.js';

export function failedEvent(folder: RunFolder, error: unknown): EngineEventBody {
  const last = folder.checkpointSteps().at(-1);
  return {
    type: 'failed',
    step: error instanceof DivergedError ? error.step : (last ?? 0),
    ...errorRecord(error),
    last_checkpoint: last === undefined ? null : `checkpoints/step-${last}`,
  };
}

/**
 * For a run that failed before it began, where its folder is there already: one to be resumed, or one that was made for
 * `runFile` before this process was started. A folder that holds another run, or where another process trains, is left as it is.
 */
export function recordEarlyFailure(
  { runFile, out, resume }: { runFile: string; out: string; resume: boolean },
  error: unknown,
): void {
  if (!existsSync(join(out, 'run.json'))) return;
  const folder = RunFolder.open(out);
  const isNew = resolve(runFile) === resolve(folder.runFile) && !existsSync(folder.eventsFile);
  if (!(resume || isNew) || otherProcess(folder) !== null) return;
  try {
    const events = new EventWriter(folder.eventsFile, () => {});
    events.write(failedEvent(folder, error));
    events.close();
  } catch {
    // A full disk, or events that can't be read: the error itself is told all the same.
  }
}
