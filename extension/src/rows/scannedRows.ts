// Rows of text formats (JSON, CSV): of a file, read in blocks, or of an editor's text. Rows are located by core/data/rowScanner.ts and
// parsed by core/data/rowText.ts; this file deals with bytes and limits, textFile.ts with encodings.
import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { csvHeader } from '../core/data/csvRecord.js';
import type { Row } from '../core/data/example.js';
import type { ScannedFileType } from '../core/data/rowFileTypes.js';
import { LAYOUT_UNITS, rowLayout, type RowLayout, type Units } from '../core/data/rowLayout.js';
import { rowScanner, type OnRow, type RowScanner, type ScanFault } from '../core/data/rowScanner.js';
import { parseRow } from '../core/data/rowText.js';
import { InputError } from '../core/inputError.js';
import { DataFile } from './dataFile.js';
import type { RowPlace, RowReader } from './rowReader.js';
import { textFile } from './textFile.js';

const BLOCK_BYTES = 1 << 20;
/** Longer rows are not read: a missing line break or quote must not load the whole file into memory. */
const MAX_ROW_BYTES = 64 << 20;

/** Shared by texts and files: the first record of CSV is the header, all others are rows. */
abstract class ScannedRows {
  fault: InputError | null = null;
  private layout: RowLayout = { kind: 'lines' };
  private header: string[] | null = null;
  private headerPlace: (RowPlace & { line: number }) | null = null;

  constructor(
    protected readonly fileType: ScannedFileType,
    /** Path of the file; null for a text. */
    private readonly path: string | null,
  ) {}

  abstract texts(places: readonly RowPlace[]): Promise<string[]>;

  /** @param beginning of the text, LAYOUT_UNITS long unless the text is shorter */
  protected scanner(beginning: Units, onRow: OnRow): RowScanner {
    this.layout = rowLayout(this.fileType, beginning, beginning.length < LAYOUT_UNITS);
    let isHeader = this.layout.kind === 'csv';
    return rowScanner(this.layout, (start, end, line) => {
      if (isHeader) this.headerPlace = { start, end, line };
      else onRow(start, end, line);
      isHeader = false;
    });
  }

  /** Must be called after scanning each block, before its rows are parsed. */
  protected async readHeader(): Promise<void> {
    if (this.header || !this.headerPlace || this.layout.kind !== 'csv') return;
    const [text] = await this.texts([this.headerPlace]);
    try {
      this.header = csvHeader(readable(text, this.layout), this.layout.delimiter);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      this.header = [];
      const { line } = this.headerPlace;
      this.fault = this.faultOf({ line, message: `the header can't be read: ${error.message}`, hint: error.hint });
    }
  }

  /** Ends the scan. */
  protected async finish(scanner: RowScanner): Promise<void> {
    const fault = scanner.finish();
    await this.readHeader();
    if (fault) this.fault = this.faultOf(fault);
  }

  private faultOf({ message, line, ...details }: ScanFault): InputError {
    return new InputError(message, { ...details, file: this.path ?? undefined, line: line ?? undefined });
  }

  parse(text: string): Row {
    // The only fault of a CSV file outside its rows is a bad header, without which no row can be read.
    if (this.fault && this.layout.kind === 'csv') throw this.fault;
    return parseRow(this.layout, readable(text, this.layout), this.header ?? []);
  }
}

/** Rows of an editor's text. */
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
    let scanner: RowScanner | null = null;
    const units = new Uint16Array(LAYOUT_UNITS);
    for (let start = 0, isEnd = false; !isEnd; start += units.length) {
      const length = Math.min(units.length, this.size - start);
      for (let i = 0; i < length; i++) units[i] = this.text.charCodeAt(start + i);
      const block = units.subarray(0, length);
      isEnd = start + length === this.size;
      scanner ??= this.scanner(block, onRow);
      scanner.push(block);
      await (isEnd ? this.finish(scanner) : this.readHeader());
      yield isEnd ? 1 : (start + length) / this.size;
    }
  }

  texts(places: readonly RowPlace[]): Promise<string[]> {
    return Promise.resolve(places.map(({ start, end }) => this.text.slice(start, end)));
  }

  columnOf(start: number): Promise<number> {
    return Promise.resolve(start - this.text.lastIndexOf('\n', start - 1));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/**
 * The beginning of a text file, which is scanned as one block.
 * @throws InputError if the file can't be opened or is not text
 */
export async function openBeginning(path: string, fileType: ScannedFileType, bytes: number): Promise<TextFileRows> {
  return new TextFileRows(await textFile(await DataFile.open(path), bytes), fileType, bytes);
}

/** Rows of a file in UTF-8. */
export class TextFileRows extends ScannedRows implements RowReader {
  contentHash: string | null = null;
  /** The latest scanned block: most texts are requested while it is in memory. */
  private scanned: { start: number; bytes: Buffer } | null = null;
  /** A buffer for the next read: taken by the read and returned when its texts are decoded. */
  private spare: Buffer = Buffer.alloc(0);

  /** @param file is closed with the reader */
  constructor(
    private readonly file: DataFile,
    fileType: ScannedFileType,
    private readonly block = BLOCK_BYTES,
  ) {
    super(fileType, file.path);
  }

  get size(): number {
    return this.file.size;
  }

  async *scan(onRow: OnRow): AsyncGenerator<number> {
    const beginning = await this.file.read(Buffer.allocUnsafe(Math.min(LAYOUT_UNITS, this.size)), 0);
    const scanner = this.scanner(beginning, onRow);
    const hash = createHash('sha256');
    const buffer = Buffer.allocUnsafe(this.block);
    try {
      for (let start = 0, isEnd = false; !isEnd; start += this.block) {
        this.scanned = null;
        const bytes = await this.file.read(buffer, start);
        this.scanned = { start, bytes };
        isEnd = bytes.length < this.block;
        hash.update(bytes);
        scanner.push(bytes);
        await (isEnd ? this.finish(scanner) : this.readHeader());
        if (isEnd) this.contentHash = this.file.originalHash ?? hash.digest('hex');
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
      if (end - start > MAX_ROW_BYTES) {
        texts.push(TOO_LONG);
        row++;
        continue;
      }
      // Rows that are close together are read at once.
      let last = row;
      while (last + 1 < places.length && places[last + 1].end - start <= BLOCK_BYTES) last++;
      const scanned = this.inScanned(start, places[last].end);
      const bytes = scanned ?? (await this.readBytes(start, places[last].end));
      for (; row <= last; row++) {
        texts.push(decode(bytes.subarray(places[row].start - start, places[row].end - start)));
      }
      if (!scanned) this.giveBack(bytes);
    }
    return texts;
  }

  async columnOf(start: number): Promise<number | null> {
    const from = Math.max(0, start - LAYOUT_UNITS);
    const before = await this.file.read(Buffer.allocUnsafe(start - from), from);
    const lineBreak = before.lastIndexOf('\n');
    if (lineBreak < 0 && from > 0) return null;
    const text = before.subarray(lineBreak + 1).toString('utf8');
    return text.length + (text.startsWith('\ufeff') ? 0 : 1);
  }

  private inScanned(start: number, end: number): Buffer | null {
    const { scanned } = this;
    if (!scanned || start < scanned.start || end > scanned.start + scanned.bytes.length) return null;
    return scanned.bytes.subarray(start - scanned.start, end - scanned.start);
  }

  private async readBytes(start: number, end: number): Promise<Buffer> {
    const length = end - start;
    // A new buffer for each read would pile up outside the heap before garbage collection runs.
    const bytes = this.spare.length >= length ? this.spare : Buffer.allocUnsafe(Math.max(length, BLOCK_BYTES));
    this.spare = Buffer.alloc(0);
    return this.file.read(bytes.subarray(0, length), start);
  }

  private giveBack({ buffer }: Buffer): void {
    if (buffer.byteLength === BLOCK_BYTES) this.spare = Buffer.from(buffer);
  }

  async close(): Promise<void> {
    await this.file.close();
  }
}

/** Mark (or replace) the text of a row that can't be read. No row begins like this, since NUL is not valid in JSON or CSV. */
const NOT_UTF8 = '\u0000not UTF-8\u0000';
const TOO_LONG = '\u0000too long\u0000';

function decode(bytes: Buffer): string {
  return isUtf8(bytes) ? bytes.toString('utf8') : NOT_UTF8 + bytes.toString('latin1');
}

/** @throws InputError (without file and line) if `text` is marked as unreadable */
function readable(text: string, { kind }: RowLayout): string {
  if (text.startsWith(NOT_UTF8))
    throw new InputError('the row is not valid UTF-8', { hint: 'Save the file as UTF-8.' });
  if (text !== TOO_LONG) return text;
  throw new InputError(`the row is longer than ${MAX_ROW_BYTES >> 20} MB`, {
    hint: {
      lines: 'Each row must be on its own line.',
      values: 'A brace may be missing; each row must be one JSON object.',
      list: undefined,
      csv: 'An unclosed quote turns the rest of the file into one record.',
    }[kind],
  });
}
