// Refuses what the disk can't hold before it is downloaded or unpacked.
import { statfs } from 'node:fs/promises';
import { InputError } from '../../core/inputError.js';

/** @throws InputError when the file system of `folder` has less than `bytes` free. */
export async function checkFreeSpace(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  if (free >= bytes) return;
  const inGb = (value: number) => `${(value / 1e9).toFixed(1)} GB`;
  throw new InputError(`this takes ${inGb(bytes)} of disk, and ${inGb(free)} are free`, {
    file: folder,
    hint: 'Free some space, or name another folder in the environment variable TUNEWRIGHT_CACHE.',
  });
}
