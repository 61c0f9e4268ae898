// Writes a file so that it is either wholly there or not at all: a temporary file beside it, fsync, rename.
// Called by every writer of model files and checkpoints. It must never touch the old file before the new one is complete.
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { InputError } from '../../core/inputError.js';

/** Node refuses single writes of 2 GiB and more. */
const maxWriteBytes = 1 << 30;

export type Append = (bytes: NodeJS.ArrayBufferView) => void;

/**
 * Calls `produce` with a function that appends bytes, then puts the file in place.
 * @throws InputError where the disk is full or the folder can't be written; the old file is then as it was.
 */
export function writeFileAtomically(path: string, produce: (append: Append) => void): void {
  const file = new FileInTheMaking(path);
  try {
    produce(file.open());
    file.putInPlace();
  } catch (error) {
    throw file.abandon(error);
  }
}

/** The same where what is appended has to be waited for, such as values that a device holds. */
export async function streamFileAtomically(path: string, produce: (append: Append) => Promise<void>): Promise<void> {
  const file = new FileInTheMaking(path);
  try {
    await produce(file.open());
    file.putInPlace();
  } catch (error) {
    throw file.abandon(error);
  }
}

class FileInTheMaking {
  private readonly temporary: string;
  private descriptor: number | null = null;

  constructor(private readonly path: string) {
    this.temporary = `${path}.${process.pid}.tmp`;
  }

  open(): Append {
    mkdirSync(dirname(this.path), { recursive: true });
    const descriptor = openSync(this.temporary, 'w');
    this.descriptor = descriptor;
    return bytes => appendAll(descriptor, bytes);
  }

  putInPlace(): void {
    fsyncSync(this.descriptor!);
    this.close();
    renameSync(this.temporary, this.path);
  }

  /** Leaves nothing behind. Returns the error to throw. */
  abandon(error: unknown): unknown {
    this.close();
    rmSync(this.temporary, { force: true });
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
