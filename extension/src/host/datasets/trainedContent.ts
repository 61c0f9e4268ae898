// Which file a run was trained on, and the hash of its content then. Used where that is compared with the present file.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readJson } from '../runs/runFolderFiles.js';
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
export async function trainedContent(run: Run): Promise<string | null> {
  const recorded = run.glance().started?.dataset_hash;
  if (recorded) return recorded;
  const folder = join(run.folder, 'checkpoints');
  const names = await readdir(folder).catch(() => []);
  const steps = names.map(name => Number(/^step-(\d+)$/.exec(name)?.[1] ?? NaN)).filter(step => !Number.isNaN(step));
  if (steps.length === 0) return null;
  const state = readJson(join(folder, `step-${Math.max(...steps)}`, 'state.json'));
  const { dataset_hash: hash } = (state ?? {}) as { dataset_hash?: unknown };
  return typeof hash === 'string' ? hash : null;
}
