// What a completed run has written: an adapter or a complete model. Used wherever results are listed or used; only
// checks which files exist.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Run } from '../services.js';

/** Absolute path of a run's adapter or model; null if there is none. */
export function resultOf(run: Run): string | null {
  const { completed } = run.glance();
  const path = completed && join(run.folder, completed.adapter);
  return path && existsSync(path) ? path : null;
}

/** Whether a result is a complete model rather than an adapter; depends on the folder, not on the method. */
export function isWholeModel(result: string): boolean {
  return existsSync(join(result, 'config.json'));
}
