// Hidden states of examples, by row: in memory where all of them are few, else in one file of the run folder that is gone
// when the run is. Called by frozenStates.ts; knows nothing of models.
import { closeSync, openSync, readSync, rmSync, statfsSync, unlinkSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

const FLOAT_BYTES = Float32Array.BYTES_PER_ELEMENT;
const MEMORY_BYTES = 256 << 20;
/** Of what is free on the disk, so much is taken at most. */
const DISK_SHARE = 0.5;

export interface HiddenStateStoreOptions {
  /** Rows that may be stored. */
  rows: ArrayLike<number>;
  lengthOf(row: number): number;
  /** Values of a token. */
  width: number;
  /** Where the file would stand. */
  file: string;
  /** Free bytes of the file's disk, and how much may stand in memory: for tests. */
  freeBytes?: number;
  memoryBytes?: number;
}

export class HiddenStateStore {
  private readonly memory = new Map<number, Float32Array>();
  private readonly written = new Set<number>();

  private constructor(
    private readonly lengthOf: (row: number) => number,
    private readonly width: number,
    /** Bytes of all rows together. */
    readonly bytes: number,
    private readonly disk: { descriptor: number; file: string; starts: Map<number, number> } | null,
  ) {}

  /** null where neither memory nor disk has room for all rows, or the file can't be made. */
  static open({
    rows,
    lengthOf,
    width,
    file,
    freeBytes,
    memoryBytes,
  }: HiddenStateStoreOptions): HiddenStateStore | null {
    const starts = new Map<number, number>();
    let bytes = 0;
    for (const row of Array.from(rows)) {
      starts.set(row, bytes);
      bytes += lengthOf(row) * width * FLOAT_BYTES;
    }
    if (bytes <= (memoryBytes ?? MEMORY_BYTES)) return new HiddenStateStore(lengthOf, width, bytes, null);
    if (bytes > DISK_SHARE * (freeBytes ?? freeBytesBeside(file))) return null;
    try {
      const descriptor = openSync(file, 'w+');
      // Where the system allows it the file has no name from now on, so that it can't outlive this process.
      if (process.platform !== 'win32') unlinkSync(file);
      return new HiddenStateStore(lengthOf, width, bytes, { descriptor, file, starts });
    } catch {
      return null;
    }
  }

  get onDisk(): boolean {
    return this.disk !== null;
  }

  has(row: number): boolean {
    return this.memory.has(row) || this.written.has(row);
  }

  /** @param states [tokens, width] @throws where the disk is full */
  put(row: number, states: Float32Array): void {
    const { disk } = this;
    if (!disk) {
      this.memory.set(row, states);
      return;
    }
    const bytes = bytesOf(states);
    const start = disk.starts.get(row)!;
    for (let done = 0; done < bytes.length;)
      done += writeSync(disk.descriptor, bytes, done, bytes.length - done, start + done);
    this.written.add(row);
  }

  /** Fills `target`, [tokens, width], with what was put. */
  read(row: number, target: Float32Array): void {
    const { disk } = this;
    if (!disk) {
      target.set(this.memory.get(row)!);
      return;
    }
    const bytes = bytesOf(target.subarray(0, this.lengthOf(row) * this.width));
    const start = disk.starts.get(row)!;
    for (let done = 0; done < bytes.length;) {
      const got = readSync(disk.descriptor, bytes, done, bytes.length - done, start + done);
      if (got === 0) throw new Error(`${disk.file} was changed by someone else`);
      done += got;
    }
  }

  close(): void {
    this.memory.clear();
    if (!this.disk) return;
    closeSync(this.disk.descriptor);
    rmSync(this.disk.file, { force: true });
  }
}

function freeBytesBeside(file: string): number {
  const { bavail, bsize } = statfsSync(dirname(file));
  return bavail * bsize;
}

function bytesOf(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
