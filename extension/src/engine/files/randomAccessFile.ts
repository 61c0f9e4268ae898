// A file opened for synchronous reading at any position, for the safetensors and GGUF readers. A read past the end means that the
// user's file is truncated, so it is an InputError. Buffers are allocated by the caller.
import { closeSync, readSync } from 'node:fs';
import { describePlace, type Place } from '../../core/codedError.js';
import { InputError } from '../../core/inputError.js';
import { openRegularFile } from '../../system/regularFile.js';

/** Node rejects single reads of 2 GiB and more. */
const MAX_READ_BYTES = 1 << 30;

export class RandomAccessFile {
  readonly size: number;
  private descriptor: number | null;

  /** @throws InputError if the file is missing, can't be read or is not a regular file */
  constructor(readonly path: string) {
    const { descriptor, size } = openRegularFile(path);
    this.descriptor = descriptor;
    this.size = size;
  }

  /** Fills `target` completely from `position`. `place` says what is being read, for error messages. */
  readInto(target: NodeJS.ArrayBufferView, position: number, place: Place = { file: this.path }): void {
    if (this.descriptor === null) throw new Error(`${this.path} was closed before ${describePlace(place)} was read`);
    let done = 0;
    while (done < target.byteLength) {
      const count = Math.min(target.byteLength - done, MAX_READ_BYTES);
      const got = readSync(this.descriptor, target, done, count, position + done);
      if (got === 0) {
        throw new InputError(`the file ends ${target.byteLength - done} bytes too early`, {
          ...place,
          hint: 'The file is truncated: copy or download it again.',
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
