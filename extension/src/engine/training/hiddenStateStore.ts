// Hidden states of examples, by row: in memory if all of them are small enough, else in one file of the run folder,
// which is deleted when the run ends. Called by frozenStates.ts; knows nothing about models.
import { closeSync, openSync, readSync, rmSync, unlinkSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { freeBytes } from '../files/diskSpace.js';

const FLOAT_BYTES = Float32Array.BYTES_PER_ELEMENT;
const MEMORY_BYTES = 256 << 20;
/** Maximum share of the disk's free space. */
const MAX_DISK_SHARE = 0.5;

export interface HiddenStateStoreOptions {
  /** Rows that may be stored. */
  rows: ArrayLike<number>;
  lengthOf(row: number): number;
  /** Values per token. */
  width: number;
  /** Path of the file, if one is needed. */
  file: string;
  /** Free bytes of the file's disk, and the memory limit: for tests. */
  diskBytes?: number;
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

  /** null if neither memory nor disk has room for all rows, or the file can't be created. */
  static open({
    rows,
    lengthOf,
    width,
    file,
    diskBytes,
    memoryBytes,
  }: HiddenStateStoreOptions): HiddenStateStore | null {
    const starts = new Map<number, number>();
    let bytes = 0;
    for (const row of Array.from(rows)) {
      starts.set(row, bytes);
      bytes += lengthOf(row) * width * FLOAT_BYTES;
    }
    if (bytes <= (memoryBytes ?? MEMORY_BYTES)) return new HiddenStateStore(lengthOf, width, bytes, null);
    if (bytes > MAX_DISK_SHARE * (diskBytes ?? freeBytes(dirname(file)))) return null;
    try {
      // Removed first, so that a link of this name isn't followed.
      rmSync(file, { force: true });
      const descriptor = openSync(file, 'wx+');
      // Where the system allows it, the open file is unlinked, so that it can't outlive this process.
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

  /** @param states [tokens, width] @throws if the disk is full */
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

  /** Fills `target`, [tokens, width], with the row's states. */
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
      if (got === 0) throw new Error(`${disk.file} was changed by another program`);
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

function bytesOf(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
