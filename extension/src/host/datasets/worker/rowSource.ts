// Where the worker gets rows from: a file that is read piece by piece, the text of an open editor, a Parquet table. Each gives
// the rows' places in one pass and their texts when asked. Never holds a file in memory.
import { createHash } from 'node:crypto';
import { isUtf8 } from 'node:buffer';
import { open, type FileHandle } from 'node:fs/promises';
import type { Row } from '../../../core/data/example.js';
import { InputError } from '../../../core/inputError.js';
import { rowScanner, type ScannedFileType } from '../../../core/data/rowScanner.js';
import { ParquetSource } from './parquetSource.js';
import type { RowTable } from './rowTable.js';
import { csvHeader, parseScannedRow } from './scannedRow.js';
import type { SourceDescription } from './workerMessages.js';

export interface IndexOptions {
  signal: AbortSignal;
  /** Share of the text that is indexed, 0 to 1; awaited, so that others get their turn. */
  onProgress(share: number): Promise<void>;
}

export interface RowSource {
  /** Bytes of the file, or units of the text. */
  readonly size: number;
  /** Adds every row's place to `table`. @returns SHA-256 of the file, hexadecimal; null for a text that is no file yet */
  index(table: RowTable, options: IndexOptions): Promise<string | null>;
  /** The texts of the rows from `from` to `to` (exclusive), as they stand there. */
  texts(table: RowTable, from: number, to: number): Promise<string[]>;
  /** @throws InputError (without where) for a text that is no row */
  parse(text: string): Row;
  close(): Promise<void>;
}

/** @throws InputError for a file that can't be opened */
export async function openRowSource(description: SourceDescription): Promise<RowSource> {
  if (description.kind === 'text') return new TextSource(description.text, description.fileType);
  const { path, fileType } = description;
  const file = await open(path).catch((error: NodeJS.ErrnoException) => {
    const missing = error.code === 'ENOENT';
    throw new InputError(missing ? 'there is no such file' : `the file can't be opened (${error.code})`, {
      where: path,
    });
  });
  if (fileType === 'parquet') return ParquetSource.open(file, path);
  const { size } = await file.stat();
  return new FileSource(file, size, fileType);
}

const blockBytes = 1 << 20;
/** Longer rows are not read: they would end up in memory whole. */
const maxRowBytes = 64 << 20;

/** Shared by texts and files: CSV's first record is the header, all others are rows. */
abstract class ScannedSource {
  protected header: string[] = [];
  protected headerPlace: { start: number; end: number } | null = null;

  constructor(protected readonly fileType: ScannedFileType) {}

  protected scanner(table: RowTable) {
    let isHeader = this.fileType === 'csv';
    return rowScanner(this.fileType, (start, end, line) => {
      if (isHeader) this.headerPlace = { start, end };
      else table.add(start, end, line);
      isHeader = false;
    });
  }

  protected readHeader(text: string): void {
    this.header = csvHeader(text);
  }

  parse(text: string): Row {
    return parseScannedRow(this.fileType, text, this.header);
  }
}

class TextSource extends ScannedSource implements RowSource {
  readonly size: number;

  constructor(
    private readonly text: string,
    fileType: ScannedFileType,
  ) {
    super(fileType);
    this.size = text.length;
  }

  async index(table: RowTable, { signal, onProgress }: IndexOptions): Promise<null> {
    const scanner = this.scanner(table);
    const units = new Uint16Array(1 << 18);
    for (let at = 0; at < this.text.length; at += units.length) {
      signal.throwIfAborted();
      const length = Math.min(units.length, this.text.length - at);
      for (let i = 0; i < length; i++) units[i] = this.text.charCodeAt(at + i);
      scanner.push(units.subarray(0, length));
      await onProgress((at + length) / this.text.length);
    }
    scanner.finish();
    if (this.headerPlace) this.readHeader(this.text.slice(this.headerPlace.start, this.headerPlace.end));
    return null;
  }

  texts(table: RowTable, from: number, to: number): Promise<string[]> {
    const texts: string[] = [];
    for (let row = from; row < to; row++) texts.push(this.text.slice(table.start(row), table.end(row)));
    return Promise.resolve(texts);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

class FileSource extends ScannedSource implements RowSource {
  /** The buffer that the next read may use; whoever reads takes it, and gives it back when the texts are decoded. */
  private spare: Buffer = Buffer.allocUnsafe(blockBytes);

  constructor(
    private readonly file: FileHandle,
    readonly size: number,
    fileType: ScannedFileType,
  ) {
    super(fileType);
  }

  async index(table: RowTable, { signal, onProgress }: IndexOptions): Promise<string> {
    const scanner = this.scanner(table);
    const hash = createHash('sha256');
    const block = Buffer.allocUnsafe(blockBytes);
    for (let position = 0; ;) {
      signal.throwIfAborted();
      const { bytesRead } = await this.file.read(block, 0, blockBytes, position);
      if (bytesRead === 0) break;
      position += bytesRead;
      const bytes = block.subarray(0, bytesRead);
      hash.update(bytes);
      scanner.push(bytes);
      if (this.headerPlace && this.header.length === 0) await this.loadHeader();
      await onProgress(position / Math.max(position, this.size));
    }
    scanner.finish();
    await this.loadHeader();
    return hash.digest('hex');
  }

  private async loadHeader(): Promise<void> {
    if (this.headerPlace) this.readHeader(await this.readText(this.headerPlace.start, this.headerPlace.end));
  }

  async texts(table: RowTable, from: number, to: number): Promise<string[]> {
    const texts: string[] = [];
    for (let row = from; row < to;) {
      // Rows that stand close together are read at once.
      const start = table.start(row);
      let last = row;
      while (last + 1 < to && table.end(last + 1) - start <= blockBytes) last++;
      const bytes = await this.readBytes(start, table.end(last));
      for (; row <= last; row++) texts.push(decode(bytes.subarray(table.start(row) - start, table.end(row) - start)));
      this.giveBack(bytes);
    }
    return texts;
  }

  private async readText(start: number, end: number): Promise<string> {
    const bytes = await this.readBytes(start, end);
    const text = decode(bytes);
    this.giveBack(bytes);
    return text;
  }

  private giveBack({ buffer }: Buffer): void {
    if (buffer.byteLength === blockBytes) this.spare = Buffer.from(buffer);
  }

  private async readBytes(start: number, end: number): Promise<Buffer> {
    const length = Math.min(end - start, maxRowBytes);
    // Buffers that go with each read would pile up outside the heap before anything collects them.
    const bytes = this.spare.length >= length ? this.spare : Buffer.allocUnsafe(length);
    this.spare = Buffer.alloc(0);
    const { bytesRead } = await this.file.read(bytes, 0, length, start);
    return bytes.subarray(0, bytesRead);
  }

  override parse(text: string): Row {
    if (text.includes(BROKEN)) throw new InputError('the row is not valid UTF-8', { hint: 'Save the file as UTF-8.' });
    return super.parse(text);
  }

  async close(): Promise<void> {
    await this.file.close();
  }
}

/** Stands before the text of a row whose bytes are not UTF-8; no text of a file can hold it, since NUL is no JSON or CSV. */
const BROKEN = '\u0000not UTF-8\u0000';

function decode(bytes: Buffer): string {
  return isUtf8(bytes) ? bytes.toString('utf8') : BROKEN + bytes.toString('latin1');
}
