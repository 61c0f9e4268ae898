// Rows of a Parquet table for the preview's worker, read in blocks of rows when asked. Their text is the row as JSON.
import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { parquetMetadataAsync, parquetReadObjects, type FileMetaData } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import type { Row } from '../../../core/data/example.js';
import { InputError } from '../../../core/inputError.js';
import type { IndexOptions, RowSource } from './rowSource.js';
import type { RowTable } from './rowTable.js';

const hashBytes = 1 << 20;
/** Rows decoded at once; the pages that hold them are decoded whole anyway. */
const blockRows = 1024;

interface AsyncFile {
  byteLength: number;
  slice(start: number, end?: number): Promise<ArrayBuffer>;
}

export class ParquetSource implements RowSource {
  private block: { from: number; texts: string[] } = { from: 0, texts: [] };

  private constructor(
    private readonly handle: FileHandle,
    private readonly path: string,
    private readonly file: AsyncFile,
    private readonly metadata: FileMetaData,
  ) {}

  /** @throws InputError for a file that is not Parquet or is damaged */
  static async open(handle: FileHandle, path: string): Promise<ParquetSource> {
    const { size } = await handle.stat();
    const file: AsyncFile = {
      byteLength: size,
      async slice(start, end = size) {
        const bytes = new Uint8Array(Math.max(0, Math.min(end, size) - start));
        await handle.read(bytes, 0, bytes.length, start);
        return bytes.buffer;
      },
    };
    const metadata = await parquetMetadataAsync(file).catch(async error => {
      await handle.close();
      throw damaged(path, error as Error);
    });
    return new ParquetSource(handle, path, file, metadata);
  }

  get size(): number {
    return this.file.byteLength;
  }

  async index(table: RowTable, { signal, onProgress }: IndexOptions): Promise<string> {
    const rows = Number(this.metadata.num_rows);
    const rowBytes = Math.max(1, Math.round(this.size / Math.max(1, rows)));
    // A row has no place of its own: the file's bytes in equal shares, for what is reckoned from sizes.
    for (let row = 0; row < rows; row++) table.add(row * (rowBytes + 1), row * (rowBytes + 1) + rowBytes, row + 1);
    const hash = createHash('sha256');
    for (let at = 0; at < this.size; at += hashBytes) {
      signal.throwIfAborted();
      hash.update(new Uint8Array(await this.file.slice(at, at + hashBytes)));
      await onProgress(Math.min(1, (at + hashBytes) / this.size));
    }
    return hash.digest('hex');
  }

  async texts(_table: RowTable, from: number, to: number): Promise<string[]> {
    const texts: string[] = [];
    for (let row = from; row < to; row++) {
      if (row < this.block.from || row >= this.block.from + this.block.texts.length) await this.readBlock(row);
      texts.push(this.block.texts[row - this.block.from]);
    }
    return texts;
  }

  private async readBlock(row: number): Promise<void> {
    const from = row - (row % blockRows);
    const rowEnd = Math.min(from + blockRows, Number(this.metadata.num_rows));
    const { file, metadata } = this;
    const rows = await parquetReadObjects({ file, metadata, compressors, rowStart: from, rowEnd }).catch(error => {
      throw damaged(this.path, error as Error);
    });
    this.block = { from, texts: rows.map(item => JSON.stringify(item, plainValue)) };
  }

  parse(text: string): Row {
    return JSON.parse(text) as Row;
  }

  async close(): Promise<void> {
    await this.handle.close();
  }
}

/** 64-bit integers come as bigint, lists of numbers as typed arrays: JSON has neither. */
function plainValue(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  return ArrayBuffer.isView(value) && !(value instanceof DataView) ? Array.from(value as Int32Array) : value;
}

function damaged(path: string, error: Error): InputError {
  return new InputError(`the Parquet file can't be read: ${error.message}`, {
    where: path,
    hint: 'It may be truncated: copy or download it again.',
  });
}
