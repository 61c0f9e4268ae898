// Rows of the types that are text (JSONL, JSON, CSV): of a file, read a block at a time, or of an editor's text. Where rows begin
// is for core/data/rowScanner.ts, what they hold for core/data/rowText.ts; here are bytes, encodings and limits.
import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { splitCsvRecord } from '../core/data/csvRecord.js';
import type { Row } from '../core/data/example.js';
import { rowScanner, type OnRow, type RowScanner, type ScannedFileType } from '../core/data/rowScanner.js';
import { parseRow } from '../core/data/rowText.js';
import { InputError } from '../core/inputError.js';
import { DataFile } from './dataFile.js';
import type { RowPlace, RowReader } from './rowReader.js';

const blockBytes = 1 << 20;
/** A longer row is not read: a missing line break or quote must not take the file into memory. */
const maxRowBytes = 64 << 20;

/** Shared by texts and files: CSV's first record is the header, all others are rows. */
abstract class ScannedRows {
  fault: InputError | null = null;
  private header: string[] | null = null;
  private headerPlace: (RowPlace & { line: number }) | null = null;

  constructor(
    protected readonly fileType: ScannedFileType,
    /** Path of the file; null for a text. */
    private readonly path: string | null,
  ) {}

  abstract texts(places: readonly RowPlace[]): Promise<string[]>;

  protected scanner(onRow: OnRow): RowScanner {
    let isHeader = this.fileType === 'csv';
    return rowScanner(this.fileType, (start, end, line) => {
      if (isHeader) this.headerPlace = { start, end, line };
      else onRow(start, end, line);
      isHeader = false;
    });
  }

  /** To be called after each piece that was scanned, before its rows are parsed. */
  protected async readHeader(): Promise<void> {
    if (this.header || !this.headerPlace) return;
    const [text] = await this.texts([this.headerPlace]);
    try {
      this.header = splitCsvRecord(readable(text, this.fileType));
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      this.header = [];
      this.fault = this.faultAt(this.headerPlace.line, `the header can't be read: ${error.message}`, error.hint);
    }
  }

  /** Ends the scan. */
  protected async finish(scanner: RowScanner): Promise<void> {
    const fault = scanner.finish();
    await this.readHeader();
    if (fault) this.fault = this.faultAt(fault.line, fault.message, fault.hint);
  }

  private faultAt(line: number | null, message: string, hint?: string): InputError {
    return new InputError(message, { file: this.path ?? undefined, line: line ?? undefined, hint });
  }

  parse(text: string): Row {
    // All that can be wrong with CSV beside its rows is the header, and without it no row can be read.
    if (this.fault && this.fileType === 'csv') throw this.fault;
    return parseRow(this.fileType, readable(text, this.fileType), this.header ?? []);
  }
}

/** Rows of the text of an editor. */
export class EditorRows extends ScannedRows implements RowReader {
  readonly contentHash = null;

  constructor(
    private readonly text: string,
    fileType: ScannedFileType,
  ) {
    super(fileType, null);
  }

  get size(): number {
    return this.text.length;
  }

  async *scan(onRow: OnRow): AsyncGenerator<number> {
    const scanner = this.scanner(onRow);
    const units = new Uint16Array(1 << 18);
    for (let start = 0, isEnd = false; !isEnd; start += units.length) {
      const length = Math.min(units.length, this.size - start);
      for (let i = 0; i < length; i++) units[i] = this.text.charCodeAt(start + i);
      scanner.push(units.subarray(0, length));
      isEnd = start + length === this.size;
      await (isEnd ? this.finish(scanner) : this.readHeader());
      yield isEnd ? 1 : (start + length) / this.size;
    }
  }

  texts(places: readonly RowPlace[]): Promise<string[]> {
    return Promise.resolve(places.map(({ start, end }) => this.text.slice(start, end)));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** Rows of a UTF-8 file. */
export class TextFileRows extends ScannedRows implements RowReader {
  contentHash: string | null = null;
  /** The block that was scanned last: most texts are asked for while it is there. */
  private scanned: { start: number; bytes: Buffer } | null = null;
  /** The buffer that the next read may use; whoever reads takes it, and gives it back when the texts are decoded. */
  private spare: Buffer = Buffer.alloc(0);

  /** @param file is closed with the reader */
  constructor(
    private readonly file: DataFile,
    fileType: ScannedFileType,
    private readonly block = blockBytes,
  ) {
    super(fileType, file.path);
  }

  get size(): number {
    return this.file.size;
  }

  /** @throws InputError for a file in UTF-16 */
  async *scan(onRow: OnRow): AsyncGenerator<number> {
    const scanner = this.scanner(onRow);
    const hash = createHash('sha256');
    const buffer = Buffer.allocUnsafe(this.block);
    try {
      for (let start = 0, isEnd = false; !isEnd; start += this.block) {
        this.scanned = null;
        const bytes = await this.file.read(buffer, start);
        this.scanned = { start, bytes };
        if (start === 0) checkByteOrder(bytes, this.file.path);
        hash.update(bytes);
        scanner.push(bytes);
        isEnd = bytes.length < this.block;
        await (isEnd ? this.finish(scanner) : this.readHeader());
        if (isEnd) this.contentHash = hash.digest('hex');
        yield isEnd ? 1 : Math.min(1, (start + bytes.length) / this.size);
      }
    } finally {
      this.scanned = null;
    }
  }

  async texts(places: readonly RowPlace[]): Promise<string[]> {
    const texts: string[] = [];
    for (let row = 0; row < places.length;) {
      const { start, end } = places[row];
      if (end - start > maxRowBytes) {
        texts.push(TOO_LONG);
        row++;
        continue;
      }
      // Rows that stand close together are read at once.
      let last = row;
      while (last + 1 < places.length && places[last + 1].end - start <= blockBytes) last++;
      const scanned = this.inScanned(start, places[last].end);
      const bytes = scanned ?? (await this.readBytes(start, places[last].end));
      for (; row <= last; row++) {
        texts.push(decode(bytes.subarray(places[row].start - start, places[row].end - start)));
      }
      if (!scanned) this.giveBack(bytes);
    }
    return texts;
  }

  private inScanned(start: number, end: number): Buffer | null {
    const { scanned } = this;
    if (!scanned || start < scanned.start || end > scanned.start + scanned.bytes.length) return null;
    return scanned.bytes.subarray(start - scanned.start, end - scanned.start);
  }

  private async readBytes(start: number, end: number): Promise<Buffer> {
    const length = end - start;
    // Buffers that go with each read would pile up outside the heap before anything collects them.
    const bytes = this.spare.length >= length ? this.spare : Buffer.allocUnsafe(Math.max(length, blockBytes));
    this.spare = Buffer.alloc(0);
    return this.file.read(bytes.subarray(0, length), start);
  }

  private giveBack({ buffer }: Buffer): void {
    if (buffer.byteLength === blockBytes) this.spare = Buffer.from(buffer);
  }

  async close(): Promise<void> {
    await this.file.close();
  }
}

function checkByteOrder(bytes: Buffer, path: string): void {
  const [first, second] = bytes;
  const isUtf16 = (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
  // Without a mark: ASCII characters in UTF-16 have a zero byte each.
  if (isUtf16 || (bytes.length > 1 && (first === 0 || second === 0))) {
    throw new InputError('the file is UTF-16, not UTF-8', { file: path, line: 1, hint: 'Save it as UTF-8.' });
  }
}

/** Stand before or for the text of a row that can't be one; no text of a row begins so, since NUL is not JSON or CSV. */
const NOT_UTF8 = '\u0000not UTF-8\u0000';
const TOO_LONG = '\u0000too long\u0000';

function decode(bytes: Buffer): string {
  return isUtf8(bytes) ? bytes.toString('utf8') : NOT_UTF8 + bytes.toString('latin1');
}

/** @throws InputError (without where) where `text` stands for one that can't be read */
function readable(text: string, fileType: ScannedFileType): string {
  if (text.startsWith(NOT_UTF8))
    throw new InputError('the row is not valid UTF-8', { hint: 'Save the file as UTF-8.' });
  if (text !== TOO_LONG) return text;
  throw new InputError(`the row is longer than ${maxRowBytes >> 20} MB`, {
    hint: {
      jsonl: 'Each row must be on a line of its own; one JSON array of rows belongs in a .json file.',
      json: undefined,
      csv: 'A quote that is opened and never closed makes one record of the rest of the file.',
    }[fileType],
  });
}
