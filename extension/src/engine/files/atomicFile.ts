// Writes a file so that it is either wholly there or not at all: a temporary file beside it, fsync, rename.
// Called by every writer of model files and checkpoints. It must never touch the old file before the new one is complete.
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { InputError } from '../../core/inputError.js';

/** Node refuses single writes of 2 GiB and more. */
const maxWriteBytes = 1 << 30;

/**
 * Calls `produce` with a function that appends bytes, then puts the file in place.
 * @throws InputError where the disk is full or the folder can't be written; the old file is then as it was.
 */
export function writeFileAtomically(
  path: string,
  produce: (append: (bytes: NodeJS.ArrayBufferView) => void) => void,
): void {
  const temporary = `${path}.${process.pid}.tmp`;
  let descriptor: number | null = null;
  try {
    mkdirSync(dirname(path), { recursive: true });
    const open = openSync(temporary, 'w');
    descriptor = open;
    produce(bytes => appendAll(open, bytes));
    fsyncSync(descriptor);
    closeSync(descriptor);
    descriptor = null;
    renameSync(temporary, path);
  } catch (error) {
    if (descriptor !== null) closeSync(descriptor);
    rmSync(temporary, { force: true });
    throw asInputError(error, path);
  }
}

function appendAll(descriptor: number, bytes: NodeJS.ArrayBufferView): void {
  let done = 0;
  while (done < bytes.byteLength) {
    done += writeSync(descriptor, bytes, done, Math.min(bytes.byteLength - done, maxWriteBytes));
  }
}

const reasons: Record<string, string> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'your disk quota is used up',
  EFBIG: 'the file would be larger than this disk or a limit of yours allows',
  EACCES: 'no permission to write here',
  EPERM: 'no permission to write here',
  EROFS: 'the disk is read-only',
  ENOTDIR: 'a part of the path is a file, not a folder',
  EISDIR: 'this is a folder, not a file',
};

/** A disk that is full, read-only or forbidden in the user's words; any other error as it is. */
export function asInputError(error: unknown, path: string): unknown {
  const reason = reasons[(error as NodeJS.ErrnoException | null)?.code ?? ''];
  if (!reason) return error;
  return new InputError(reason, {
    file: path,
    hint: 'Nothing that was there was changed. Free some space or choose another folder.',
  });
}
