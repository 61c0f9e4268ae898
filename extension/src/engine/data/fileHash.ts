// SHA-256 of a file's bytes, as the key of what was computed from it. Called by the caches of a race.
import { createHash } from 'node:crypto';
import { openRegularHandle } from '../../system/regularFile.js';

/** Hexadecimal. @throws InputError if it can't be read */
export async function fileHash(path: string): Promise<string> {
  const handle = await openRegularHandle(path);
  const hash = createHash('sha256');
  for await (const block of handle.createReadStream()) hash.update(block as Buffer);
  return hash.digest('hex');
}

/** SHA-256 of a value as JSON, hexadecimal. */
export function valueHash(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}
