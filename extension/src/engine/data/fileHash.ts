// SHA-256 of a file's bytes, as the key of what was computed from it, or where another program or a certificate names a file by its
// content.
import { createHash, type Hash } from 'node:crypto';
import { openRegularHandle } from '../../system/regularFile.js';

export interface HashCalls {
  signal?: AbortSignal;
  onBytes?(read: number): void;
}

/** Hexadecimal. @throws InputError if it can't be read; AbortError if `signal` is aborted */
export async function fileHash(path: string, calls?: HashCalls): Promise<string> {
  const hash = createHash('sha256');
  await addFile(hash, path, calls);
  return hash.digest('hex');
}

/** Adds a file's bytes. @throws as {@link fileHash} */
export async function addFile(hash: Hash, path: string, { signal, onBytes }: HashCalls = {}): Promise<void> {
  const handle = await openRegularHandle(path);
  let read = 0;
  for await (const block of handle.createReadStream({ highWaterMark: 1 << 20 })) {
    signal?.throwIfAborted();
    hash.update(block as Buffer);
    onBytes?.((read += (block as Buffer).length));
  }
}

/** SHA-256 of a value as JSON, hexadecimal. */
export function valueHash(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}
