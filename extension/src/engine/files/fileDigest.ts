// The SHA-256 of a file, computed while it is read. Called where another program or a certificate names a file by its content.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';

export interface DigestCalls {
  signal?: AbortSignal;
  onBytes?(read: number): void;
}

/** @returns 64 hexadecimal digits. @throws AbortError if `signal` is aborted */
export async function sha256OfFile(path: string, { signal, onBytes }: DigestCalls = {}): Promise<string> {
  const hash = createHash('sha256');
  let read = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20, signal })) {
    hash.update(chunk as Buffer);
    onBytes?.((read += (chunk as Buffer).length));
  }
  return hash.digest('hex');
}
