// Writes a file atomically: a temporary file in the same folder, fsync, rename, fsync of the folder. Called by all writers of model
// files and checkpoints. An existing file is not touched before the new one is complete, and after a power loss there is one of them.
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { InputError } from '../../core/inputError.js';
import { makeFolder } from '../../system/makeFolder.js';
import { fileMode } from '../../system/privateFolder.js';
import { identify } from '../../system/processIdentity.js';
import { namesIn } from '../../system/regularFile.js';

/** Node rejects single writes of 2 GiB and more. */
const MAX_WRITE_BYTES = 1 << 30;

/** Checks the complete file under its temporary name; what it throws keeps the file from being put in place. */
export type Verify = (temporary: string) => Promise<void>;

export type Append = (bytes: NodeJS.ArrayBufferView) => void;

/**
 * Calls `produce` with a function that appends bytes, then puts the file in place.
 * @throws InputError if the disk is full or the folder can't be written; an existing file is then unchanged
 */
export function writeFileAtomically(path: string, produce: (append: Append) => void): void {
  const file = new PendingFile(path);
  try {
    produce(file.open());
    file.putInPlace();
  } catch (error) {
    throw file.abandon(error);
  }
}

/** The same for asynchronous data, such as values on a device. */
export async function streamFileAtomically(
  path: string,
  produce: (append: Append) => Promise<void>,
  verify?: Verify,
): Promise<void> {
  const file = new PendingFile(path);
  try {
    await produce(file.open());
    await verify?.(file.temporary);
    file.putInPlace();
  } catch (error) {
    throw file.abandon(error);
  }
}

/** Makes sure that what was created, renamed or deleted in a folder stays so after a power loss. */
export function syncFolder(folder: string): void {
  // Windows opens no folders, and keeps their entries by itself.
  if (process.platform === 'win32') return;
  const descriptor = openSync(folder, 'r');
  try {
    fsyncSync(descriptor);
  } catch (error) {
    // Some network file systems have no such call.
    if (!['EINVAL', 'ENOTSUP'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  } finally {
    closeSync(descriptor);
  }
}

/** The end of a temporary file's name, with the process that writes it. */
const TEMPORARY = /\.(\d+)\.tmp$/;

/**
 * Removes what processes that have ended, or one that had this process's pid, left under temporary names in a folder.
 * @param begin of the names, in a folder that others use too
 */
export function sweepTemporary(folder: string, begin = ''): void {
  for (const name of namesIn(folder)) {
    if (!name.startsWith(begin)) continue;
    const pid = Number(TEMPORARY.exec(name)?.[1] ?? 0);
    if (pid > 0 && (pid === process.pid || identify(pid) === null))
      rmSync(join(folder, name), { recursive: true, force: true });
  }
}

/** What is deleted if the program ends at once, such as at a second Ctrl-C. */
const unfinished = new Set<string>();

/** @param path of a temporary file or folder. @returns to be called when its work is done, whatever came of it */
export function removeAtExit(path: string): () => void {
  if (!process.listeners('exit').includes(removeUnfinished)) process.on('exit', removeUnfinished);
  unfinished.add(path);
  return () => void unfinished.delete(path);
}

function removeUnfinished(): void {
  for (const path of unfinished) rmSync(path, { recursive: true, force: true });
}

/** Whether it is the name of a temporary file. */
export function isTemporary(name: string): boolean {
  return TEMPORARY.test(name);
}

class PendingFile {
  readonly temporary: string;
  private descriptor: number | null = null;
  private isCreated = false;
  private settled = () => {};

  constructor(private readonly path: string) {
    this.temporary = `${path}.${process.pid}.tmp`;
  }

  open(): Append {
    makeFolder(dirname(this.path));
    // Removed and created again, so that a link of this name isn't followed.
    rmSync(this.temporary, { force: true });
    const descriptor = openSync(this.temporary, 'wx', fileMode(this.path));
    this.isCreated = true;
    this.settled = removeAtExit(this.temporary);
    this.descriptor = descriptor;
    return bytes => appendAll(descriptor, bytes);
  }

  putInPlace(): void {
    fsyncSync(this.descriptor!);
    this.close();
    renameSync(this.temporary, this.path);
    this.settled();
    syncFolder(dirname(this.path));
  }

  /** Removes the temporary file. @returns the error to throw */
  abandon(error: unknown): unknown {
    this.close();
    if (this.isCreated) rmSync(this.temporary, { force: true });
    this.settled();
    return asInputError(error, this.path);
  }

  private close(): void {
    if (this.descriptor !== null) closeSync(this.descriptor);
    this.descriptor = null;
  }
}

function appendAll(descriptor: number, bytes: NodeJS.ArrayBufferView): void {
  let done = 0;
  while (done < bytes.byteLength) {
    done += writeSync(descriptor, bytes, done, Math.min(bytes.byteLength - done, MAX_WRITE_BYTES));
  }
}

const [FREE, ANOTHER] = ['Free some space or choose another folder.', 'Choose another folder.'];
const REASONS: Record<string, [reason: string, change: string]> = {
  ENOSPC: ['the disk is full', FREE],
  EDQUOT: ['your disk quota is exceeded', FREE],
  EFBIG: ['the file would exceed the maximum file size', ANOTHER],
  EACCES: ['no permission to write here', ANOTHER],
  EPERM: ['no permission to write here', ANOTHER],
  EROFS: ['the disk is read-only', ANOTHER],
  ENOTDIR: ['a part of the path is a file, not a folder', ANOTHER],
  EISDIR: ['this is a folder, not a file', 'Choose another name.'],
  ENOENT: ['the folder no longer exists', ANOTHER],
  ENAMETOOLONG: ['the name is too long', 'Choose a shorter name.'],
  EIO: ['the disk reports an error', ANOTHER],
};

/** Converts errors such as a full or read-only disk to an InputError; other errors are returned unchanged. */
export function asInputError(error: unknown, path: string): unknown {
  const known = REASONS[(error as NodeJS.ErrnoException | null)?.code ?? ''];
  if (!known) return error;
  const [reason, change] = known;
  return new InputError(reason, { file: path, hint: `Existing files are unchanged. ${change}` });
}
