// One fine-tune from run file to adapter. Called by the `train` command; draws nothing.
import type { EngineEvent } from '../../protocol/engineEvent.js';
import { executeRun, type RunResult } from './executeRun.js';
import { prepareRun, type RunRequest } from './prepareRun.js';

/**
 * @throws InputError on anything wrong with the input, before training starts
 * @throws DivergedError where the loss became NaN; the last checkpoint is kept
 */
export async function trainRun(request: RunRequest & { onEvent(event: EngineEvent): void }): Promise<RunResult> {
  const prepared = await prepareRun(request);
  try {
    return await executeRun(prepared, request);
  } finally {
    prepared.dispose();
  }
}
