// Which file a run was trained on, and the hash of its content then. Used where that is compared with the present file.
import { join } from 'node:path';
import { lastCheckpointStep, readJson, runFolderFiles } from '../runs/runFolderFiles.js';
import type { Run } from '../services.js';

/** Absolute path. */
export function trainingFile(run: Run): string | null {
  const { dataset } = run.config as { dataset?: { train?: unknown } };
  return typeof dataset?.train === 'string' ? dataset.train : null;
}

/**
 * SHA-256 of the training file as the run read it, from `started`, else from the latest checkpoint; null if it has
 * neither.
 */
export function trainedContent(run: Run): string | null {
  const recorded = run.glance().started?.dataset_hash;
  if (recorded) return recorded;
  const { checkpoints } = runFolderFiles(run.folder);
  const step = lastCheckpointStep(checkpoints);
  const state = step === null ? null : readJson(join(checkpoints, `step-${step}`, 'state.json'));
  const { dataset_hash: hash } = (state ?? {}) as { dataset_hash?: unknown };
  return typeof hash === 'string' ? hash : null;
}
