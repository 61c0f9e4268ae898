// SHA-256 of dataset files, to tell whether a file has changed since a run was trained on it. Called by the dataset
// worker; a file is read again only if its size, time or inode has changed.
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { DataFile } from '../../../rows/dataFile.js';

const BLOCK_BYTES = 1 << 20;

const known = new Map<string, { stamp: string; hash: string }>();

/** In hexadecimal; null if the file can't be read. */
export async function hashOf(path: string): Promise<string | null> {
  const found = await stat(path).catch(() => null);
  if (!found?.isFile()) return null;
  const stamp = `${found.size} ${found.mtimeMs} ${found.ino}`;
  const before = known.get(path);
  if (before?.stamp === stamp) return before.hash;
  const hash = createHash('sha256');
  try {
    const file = await DataFile.open(path);
    const block = Buffer.alloc(BLOCK_BYTES);
    try {
      for (let at = 0; at < file.size; at += BLOCK_BYTES)
        hash.update(await file.read(block.subarray(0, Math.min(BLOCK_BYTES, file.size - at)), at));
    } finally {
      await file.close();
    }
  } catch {
    return null;
  }
  const value = hash.digest('hex');
  known.set(path, { stamp, hash: value });
  return value;
}
