// A whole fine-tune, from run file to adapter. Called by the `train` command; prints nothing.
import type { EngineEvent } from '../../protocol/engineEvent.js';
import { executeRun, type RunResult } from './executeRun.js';
import { prepareRun, type RunRequest } from './prepareRun.js';

/**
 * @throws InputError for anything wrong with the input, before training starts
 * @throws DivergedError if loss, gradients or weights become non-finite; the last checkpoint is kept
 */
export async function trainRun(request: RunRequest & { onEvent(event: EngineEvent): void }): Promise<RunResult> {
  const prepared = await prepareRun(request);
  try {
    return await executeRun(prepared, request);
  } finally {
    prepared.dispose();
  }
}
