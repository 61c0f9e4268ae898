// Checks free disk space before downloading or unpacking.
import { statfs } from 'node:fs/promises';
import { InputError } from '../../core/inputError.js';

/** @throws InputError if the file system of `folder` has less than `bytes` free */
export async function checkFreeSpace(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  if (free >= bytes) return;
  const inGb = (value: number) => `${(value / 1e9).toFixed(1)} GB`;
  throw new InputError(`this needs ${inGb(bytes)} of disk space, but only ${inGb(free)} are free`, {
    file: folder,
    hint: 'Free some space, or set the environment variable TUNEWRIGHT_CACHE to another folder.',
  });
}
