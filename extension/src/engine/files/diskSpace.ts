// Checks free disk space before downloading, unpacking or writing a model.
import { existsSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { InputError } from '../../core/inputError.js';
import { bytes as sizeText } from '../../core/units.js';

/** For what is written to the cache folder. */
export const CACHE_ELSEWHERE = 'set the environment variable TUNEWRIGHT_CACHE to another folder';

/**
 * @param folder may not exist yet
 * @param elsewhere how to use another disk, for the hint
 * @throws InputError if its file system has less than `bytes` free
 */
export function checkFreeSpace(folder: string, bytes: number, elsewhere: string): void {
  const free = freeBytes(folder);
  if (free >= bytes) return;
  throw new InputError(`this needs ${sizeText(bytes)} of disk space, but only ${sizeText(free)} are free`, {
    file: folder,
    hint: `Free some space, or ${elsewhere}.`,
  });
}

/** Free bytes of the file system of a folder that may not exist yet. */
export function freeBytes(folder: string): number {
  let existing = folder;
  while (!existsSync(existing) && dirname(existing) !== existing) existing = dirname(existing);
  const { bavail, bsize } = statfsSync(existing);
  return bavail * bsize;
}
