// A whole fine-tune, from run file to adapter. Called by the `train` command; prints nothing.
import { existsSync } from 'node:fs';
import type { EngineEvent } from '../../protocol/engineEvent.js';
import { keepPrivate } from '../../system/privateFolder.js';
import { asInputError } from '../files/atomicFile.js';
import { RunFolder } from '../runFolder/runFolder.js';
import { executeRun, type RunResult } from './executeRun.js';
import { prepareRun, type PreparedRun, type RunRequest, type Warning } from './prepareRun.js';
import { claimRun } from './runProcess.js';

export interface TrainRequest extends RunRequest {
  onEvent(event: EngineEvent): void;
  /** Whether what will be done with the result can be done; called before training starts. @returns warnings: what is missing for now */
  check?(prepared: PreparedRun): Promise<readonly Warning[]>;
}

/**
 * @throws InputError for anything wrong with the input, before training starts, and for a disk that fails
 * @throws DivergedError if loss, gradients or weights become non-finite; the last checkpoint is kept
 */
export async function trainRun(request: TrainRequest): Promise<RunResult> {
  if (request.cache !== undefined) keepPrivate(request.cache);
  const claimed = claimExisting(request);
  try {
    const prepared = await prepareRun(request);
    try {
      const warnings = [...prepared.warnings, ...((await request.check?.(prepared)) ?? [])];
      return await executeRun({ ...prepared, warnings }, { ...request, claimed: claimed !== null });
    } finally {
      prepared.dispose();
    }
  } catch (error) {
    throw asInputError(error, (error as NodeJS.ErrnoException).path ?? request.out);
  } finally {
    claimed?.();
  }
}

/** Claims a folder that exists before the work begins, so that windows see the run, and no other process begins the same work. */
export function claimExisting({ out, resume, runFile }: RunRequest): (() => void) | null {
  if (resume) return claimRun(RunFolder.reopen(out));
  if (!existsSync(out)) return null;
  return claimRun(RunFolder.create(out, runFile));
}
