// Downloads one file of the hub into the cache: to <blob>.incomplete, from which a later call continues; then checks it against
// the hub's hash and renames it. Called by pullModel.ts. A blob in the cache is always complete.
import { createHash } from 'node:crypto';
import { open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { makeFolder } from '../../system/makeFolder.js';
import { InputError } from '../../core/inputError.js';
import { addFile } from '../data/fileHash.js';
import { HubUnreachableError } from './hubAccess.js';

/** sha256 of the content, or git's sha1 of it as a blob. */
export interface BlobHash {
  kind: 'sha256' | 'git-sha1';
  hex: string;
}

export interface BlobDownload {
  url: string;
  fetch: typeof fetch;
  /** Path of the complete file. */
  path: string;
  size: number;
  hash: BlobHash;
  /** For messages. */
  name: string;
  onBytes?: (bytes: number) => void;
  signal?: AbortSignal;
}

/** Connections that break in a row without any progress before giving up. */
const MAX_FAILURES = 6;

/** @throws InputError if the disk is full, the file differs from its hash, or the connection breaks repeatedly */
export async function downloadBlob(download: BlobDownload): Promise<void> {
  const incomplete = `${download.path}.incomplete`;
  makeFolder(dirname(incomplete));
  for (let failures = 0; ;) {
    const before = await sizeOf(incomplete);
    try {
      if (before > download.size) await rm(incomplete);
      if (before !== download.size) await append(download, incomplete);
      break;
    } catch (error) {
      download.signal?.throwIfAborted();
      if (error instanceof InputError && !(error instanceof HubUnreachableError)) throw error;
      failures = (await sizeOf(incomplete)) > before ? 1 : failures + 1;
      if (failures === MAX_FAILURES) throw brokenOff(download, error);
      await pause(200 * 2 ** failures, undefined, { signal: download.signal });
    }
  }
  if (!(await hasHash(incomplete, download.hash))) {
    await rm(incomplete);
    throw new InputError('the downloaded file does not match the hash of the hub and was deleted', {
      file: download.name,
      hint: 'Try again. If it happens again, a proxy may be modifying downloads.',
    });
  }
  await rename(incomplete, download.path);
}

/** Downloads the missing part and appends it. Throws if the connection breaks; what was received is kept. */
async function append({ url, fetch, size, name, onBytes }: BlobDownload, incomplete: string): Promise<void> {
  const from = await sizeOf(incomplete);
  const range = from > 0 ? { range: `bytes=${from}-` } : undefined;
  // No compression: sizes and ranges refer to the bytes of the file.
  const response = await fetch(url, { headers: { ...range, 'accept-encoding': 'identity' } });
  // A server that ignores the range sends the whole file: start again.
  const resumed = response.status === 206 && response.headers.get('content-range')?.startsWith(`bytes ${from}-`);
  const file = await open(incomplete, resumed ? 'a' : 'w');
  let done = resumed ? from : 0;
  try {
    onBytes?.(done);
    for await (const chunk of response.body ?? []) {
      done += chunk.length;
      if (done > size) throw new InputError(`the hub sends more than the expected ${size} bytes`, { file: name });
      await file.appendFile(chunk);
      onBytes?.(done);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') {
      throw new InputError('the disk is full', {
        file: incomplete,
        hint: 'Free some space and try again; the download continues from here.',
      });
    }
    throw error;
  } finally {
    await file.close();
  }
  if (done < size) throw new Error(`the connection ended at byte ${done} of ${size}`);
}

function brokenOff({ name, size }: BlobDownload, error: unknown): HubUnreachableError {
  const { message, cause } = error as Error & { cause?: { code?: string } };
  return new HubUnreachableError(`the download of ${size} bytes was interrupted (${cause?.code ?? message})`, {
    file: name,
    hint: 'Try again; the download continues where it stopped.',
  });
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}

/** Whether the file has this content. */
export async function hasHash(path: string, { kind, hex }: BlobHash): Promise<boolean> {
  const digest = createHash(kind === 'sha256' ? 'sha256' : 'sha1');
  if (kind === 'git-sha1') digest.update(`blob ${await sizeOf(path)}\0`);
  await addFile(digest, path);
  return digest.digest('hex') === hex;
}
