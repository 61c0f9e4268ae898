// A dataset file opened for reading at any position. Used by the row readers only; buffers are allocated by the caller.
import { rm, type FileHandle } from 'node:fs/promises';
import { openRegularHandle } from '../system/regularFile.js';

/** The decoded text of a file, which is in a folder of its own until it is closed. */
export interface DecodedCopy {
  folder: string;
  /** SHA-256, hexadecimal, of the file itself; null if it wasn't read to its end. */
  originalHash: string | null;
}

export class DataFile {
  private constructor(
    private readonly handle: FileHandle,
    /** As the user knows the file, for messages. */
    readonly path: string,
    /** In bytes, at the time of opening. */
    readonly size: number,
    /** Set for the decoded text of a file. */
    private readonly copy: DecodedCopy | null,
  ) {}

  /** @throws InputError for a path that is missing, can't be opened or is not a regular file */
  static async open(path: string): Promise<DataFile> {
    return DataFile.of(await openRegularHandle(path), path);
  }

  /** @param handle is closed with the file */
  static async of(handle: FileHandle, path: string, copy: DecodedCopy | null = null): Promise<DataFile> {
    return new DataFile(handle, path, (await handle.stat()).size, copy);
  }

  /** SHA-256 of the file that was decoded to this one; null for a file that is read as it is. */
  get originalHash(): string | null {
    return this.copy?.originalHash ?? null;
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
    if (this.copy) await rm(this.copy.folder, { recursive: true, force: true });
  }
}
