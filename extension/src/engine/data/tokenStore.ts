// Stores the token ids of a whole dataset: in memory up to a limit, the rest in a temporary file, so that the size of a dataset is
// limited by the disk only. Filled once by loadDataset, then read by row.
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { IGNORE_LABEL, type EncodedExample } from '../../core/data/example.js';
import { InputError } from '../../core/inputError.js';

const CHUNK_TOKENS = 1 << 20;
const TOKEN_BYTES = Int32Array.BYTES_PER_ELEMENT;

export class TokenStore {
  /** Chunks of CHUNK_TOKENS ids; those beyond the memory limit are in `spill`. */
  private readonly chunks: Int32Array[] = [];
  private readonly memoryChunks: number;
  private spill: SpillFile | null = null;
  private tail = new Int32Array(CHUNK_TOKENS);
  private tokens = 0;
  /** Row i has the tokens from starts[i] to starts[i + 1]. */
  private readonly starts: number[] = [0];
  /** Start and end, within the row, of each run of label tokens; those of row i are from runStarts[i] to runStarts[i + 1]. */
  private readonly runs: number[] = [];
  private readonly runStarts: number[] = [0];

  constructor({ memoryBytes = 256 << 20 }: { memoryBytes?: number } = {}) {
    this.memoryChunks = Math.floor(memoryBytes / TOKEN_BYTES / CHUNK_TOKENS);
  }

  /** Rows stored. */
  get length(): number {
    return this.starts.length - 1;
  }

  /** @throws InputError if the disk is full */
  append({ inputIds, labels }: EncodedExample): void {
    for (let done = 0; done < inputIds.length;) {
      const used = this.tokens % CHUNK_TOKENS;
      const part = inputIds.subarray(done, done + CHUNK_TOKENS - used);
      this.tail.set(part, used);
      done += part.length;
      this.tokens += part.length;
      if (this.tokens % CHUNK_TOKENS === 0) this.keepTail();
    }
    this.starts.push(this.tokens);
    for (let i = 0; i < labels.length; i++) {
      const isTrained = labels[i] !== IGNORE_LABEL;
      const wasTrained = i > 0 && labels[i - 1] !== IGNORE_LABEL;
      if (isTrained !== wasTrained) this.runs.push(i);
    }
    if (labels.length > 0 && labels[labels.length - 1] !== IGNORE_LABEL) this.runs.push(labels.length);
    this.runStarts.push(this.runs.length);
  }

  /** Tokens of row `i`. */
  lengthOf(i: number): number {
    return this.starts[i + 1] - this.starts[i];
  }

  get(i: number): EncodedExample {
    const inputIds = new Int32Array(this.lengthOf(i));
    for (let done = 0; done < inputIds.length;) {
      const position = this.starts[i] + done;
      const offset = position % CHUNK_TOKENS;
      const part = inputIds.subarray(done, done + CHUNK_TOKENS - offset);
      this.readChunk(Math.floor(position / CHUNK_TOKENS), offset, part);
      done += part.length;
    }
    const labels = new Int32Array(inputIds.length).fill(IGNORE_LABEL);
    for (let r = this.runStarts[i]; r < this.runStarts[i + 1]; r += 2) {
      labels.set(inputIds.subarray(this.runs[r], this.runs[r + 1]), this.runs[r]);
    }
    return { inputIds, labels };
  }

  /** Frees memory and removes the temporary file. */
  close(): void {
    this.spill?.close();
    this.spill = null;
    this.chunks.length = 0;
  }

  private keepTail(): void {
    if (this.chunks.length < this.memoryChunks) {
      this.chunks.push(this.tail);
      this.tail = new Int32Array(CHUNK_TOKENS);
    } else {
      this.spill ??= new SpillFile();
      this.spill.append(this.tail);
    }
  }

  /** Fills `target` from `offset` of a chunk. */
  private readChunk(index: number, offset: number, target: Int32Array): void {
    const isTail = index === Math.floor(this.tokens / CHUNK_TOKENS);
    const chunk = isTail ? this.tail : this.chunks[index];
    if (chunk) target.set(chunk.subarray(offset, offset + target.length));
    else this.spill?.read((index - this.chunks.length) * CHUNK_TOKENS + offset, target);
  }
}

/** Token ids in a temporary file of this process, of which nothing is left if it is killed. */
class SpillFile {
  private readonly folder = mkdtempSync(join(tmpdir(), 'tunewright-tokens-'));
  private readonly descriptor = openSync(join(this.folder, 'tokens.bin'), 'w+');

  constructor() {
    this.removeName();
  }

  /** The open file stays. Only Windows keeps the name until it is closed. */
  private removeName(): void {
    try {
      rmSync(this.folder, { recursive: true, force: true });
    } catch {
      // Tried again by close().
    }
  }

  append(ids: Int32Array): void {
    const bytes = bytesOf(ids);
    try {
      for (let done = 0; done < bytes.length;) done += writeSync(this.descriptor, bytes, done);
    } catch (error) {
      this.close();
      throw new InputError(`the tokens of the dataset can't be written (${(error as NodeJS.ErrnoException).code})`, {
        file: tmpdir(),
        hint: 'Free some space there, or set TMPDIR to a folder on another disk.',
      });
    }
  }

  /** Fills `target` from token `start` of the file. */
  read(start: number, target: Int32Array): void {
    const bytes = bytesOf(target);
    for (let done = 0; done < bytes.length;) {
      const got = readSync(this.descriptor, bytes, done, bytes.length - done, start * TOKEN_BYTES + done);
      if (got === 0) throw new Error(`${this.folder} was changed by another program`);
      done += got;
    }
  }

  close(): void {
    closeSync(this.descriptor);
    this.removeName();
  }
}

function bytesOf(ids: Int32Array): Uint8Array {
  return new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength);
}
