// A dataset file opened for reading at any position. Used by the row readers only; buffers are allocated by the caller.
import { open, type FileHandle } from 'node:fs/promises';
import { InputError } from '../core/inputError.js';

export class DataFile {
  private constructor(
    private readonly handle: FileHandle,
    readonly path: string,
    /** In bytes, at the time of opening. */
    readonly size: number,
  ) {}

  /** @throws InputError for a path that is missing, can't be opened or is not a file */
  static async open(path: string): Promise<DataFile> {
    const handle = await open(path).catch((error: NodeJS.ErrnoException) => {
      const missing = error.code === 'ENOENT';
      throw new InputError(missing ? 'the file does not exist' : `the file can't be opened (${error.code})`, {
        file: path,
      });
    });
    const stat = await handle.stat();
    if (stat.isFile()) return new DataFile(handle, path, stat.size);
    await handle.close();
    throw new InputError('this is not a file', { file: path });
  }

  /** Fills `target` from `position`. @returns the part that was filled; shorter only at the end of the file */
  async read(target: Buffer, position: number): Promise<Buffer> {
    let done = 0;
    while (done < target.length) {
      const { bytesRead } = await this.handle.read(target, done, target.length - done, position + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return target.subarray(0, done);
  }

  async close(): Promise<void> {
    await this.handle.close();
  }
}
