// A file open for synchronous reading at any position. The readers of safetensors and GGUF are built on it; a read past
// the end is the user's truncated file and so an InputError. It never allocates: the caller brings the memory.
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { describePlace, type Place } from '../../core/codedError.js';
import { InputError } from '../../core/inputError.js';

/** Node refuses single reads of 2 GiB and more. */
const maxReadBytes = 1 << 30;

export class RandomAccessFile {
  readonly size: number;
  private descriptor: number | null;

  /** @throws InputError where the file is missing or can't be read. */
  constructor(readonly path: string) {
    try {
      this.descriptor = openSync(path, 'r');
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') throw new InputError('there is no such file', { file: path });
      throw new InputError(`the file can't be opened (${code})`, { file: path });
    }
    const stat = fstatSync(this.descriptor);
    if (!stat.isFile()) {
      this.close();
      throw new InputError('this is not a file', { file: path });
    }
    this.size = stat.size;
  }

  /** Fills the whole of `target` from `position`. `place` names what was being read, for the message. */
  readInto(target: NodeJS.ArrayBufferView, position: number, place: Place = { file: this.path }): void {
    if (this.descriptor === null) throw new Error(`${this.path} was closed before ${describePlace(place)} was read`);
    let done = 0;
    while (done < target.byteLength) {
      const count = Math.min(target.byteLength - done, maxReadBytes);
      const got = readSync(this.descriptor, target, done, count, position + done);
      if (got === 0) {
        throw new InputError(`the file ends ${target.byteLength - done} bytes too early`, {
          ...place,
          hint: 'It is truncated: copy or download it again.',
        });
      }
      done += got;
    }
  }

  close(): void {
    if (this.descriptor !== null) closeSync(this.descriptor);
    this.descriptor = null;
  }
}
