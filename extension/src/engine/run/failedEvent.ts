// The `failed` event of a run, with the fields of the error record. Written by the run once it has claimed its folder, before that
// by the `train` command.
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { errorRecord } from '../../core/codedError.js';
import type { EngineEventBody } from '../../protocol/engineEvent.js';
import { EventWriter } from '../runFolder/eventLog.js';
import { RunFolder } from '../runFolder/runFolder.js';
import { lastGoodCheckpoint } from '../training/resumePoint.js';
import { DivergedError } from '../training/trainer.js';
import { isClaimed } from './runProcess.js';

export function failedEvent(folder: RunFolder, error: unknown): EngineEventBody {
  const last = lastGoodCheckpoint(folder);
  return {
    type: 'failed',
    step: error instanceof DivergedError ? error.step : (last ?? 0),
    ...errorRecord(error),
    last_checkpoint: last === null ? null : `checkpoints/step-${last}`,
  };
}

/**
 * For a run that failed before it began, if its folder already exists: because it is resumed, or because the folder was created
 * for `runFile` before this process was started. A folder of another run, or in which another process trains, is not touched, nor
 * that of a run that is resumed with a wrong run file.
 */
export function recordEarlyFailure(
  { runFile, out, resume }: { runFile: string; out: string; resume: boolean },
  error: unknown,
): void {
  if (!existsSync(join(out, 'run.json'))) return;
  const folder = RunFolder.open(out);
  const isOwn = resolve(runFile) === resolve(folder.runFile);
  const isAboutOther = !isOwn && errorRecord(error).file === runFile;
  const isNew = isOwn && !existsSync(folder.eventsFile);
  if (!(resume || isNew) || isAboutOther || isClaimed(folder)) return;
  try {
    const events = new EventWriter(folder.eventsFile, () => {});
    events.write(failedEvent(folder, error));
    events.close();
  } catch {
    // The disk is full or the events can't be read; the error itself is still reported.
  }
}
