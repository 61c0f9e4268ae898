// Which rows a run leaves out (dataset.exclude). A run folder keeps them as they were when the run started, since rows are added to a
// quarantine file later: a run that is resumed, or asked for its rows, must divide and order the same rows as before.
import { existsSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { readExcluded, type ExcludedRows } from '../data/quarantine.js';
import { excludedFileIn } from '../runFolder/runFolder.js';
import type { RunFile } from './readRunFile.js';

/** null if the run leaves out none. @throws InputError if its quarantine file doesn't exist or is wrong */
export function excludedRows({ path, config, resolvePath }: RunFile): ExcludedRows | null {
  const { exclude } = config.dataset;
  if (exclude === null) return null;
  const kept = basename(path) === 'run.json' ? excludedFileIn(dirname(path)) : null;
  return kept !== null && existsSync(kept) ? readExcluded(kept, 'refuse') : readExcluded(resolvePath(exclude));
}
