// SHA-256 of dataset files, to tell whether a file has changed since a run was trained on it. Called by the dataset
// worker; a file is read again only if its size, time or inode has changed.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';

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
    for await (const bytes of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(bytes as Buffer);
  } catch {
    return null;
  }
  const value = hash.digest('hex');
  known.set(path, { stamp, hash: value });
  return value;
}
