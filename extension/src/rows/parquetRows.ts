// Rows of a Parquet table, decoded a part of a row group at a time. The text of a row is the row as JSON, which makes its values
// (64-bit integers, dates, typed arrays) plain ones, the same for training and for the preview. Keys without a value are left out of
// structs, since Arrow gives each struct the keys of all of them (TRL's remove_none_values).
import { createHash } from 'node:crypto';
import { parquetMetadataAsync, parquetReadObjects, parquetSchema, type FileMetaData, type SchemaTree } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import type { Row } from '../core/data/example.js';
import { parseJsonText, writeJsonText } from '../core/data/jsonText.js';
import type { OnRow } from '../core/data/rowScanner.js';
import { InputError } from '../core/inputError.js';
import type { DataFile } from './dataFile.js';
import { checkFooter, checkMetadata, checkPages } from './parquetChecks.js';
import type { RowPlace, RowReader } from './rowReader.js';
import { checkIsText } from './textFile.js';

const HASH_BYTES = 1 << 20;
/** Approximate size decoded at once. Most row groups are smaller; each part of a larger one costs decoding the pages before it. */
const STRETCH_BYTES = 64 << 20;

interface AsyncFile {
  byteLength: number;
  slice(start: number, end?: number): Promise<ArrayBuffer>;
}

/** Rows that are decoded together. */
interface Stretch {
  from: number;
  to: number;
}

/** As values, not as texts: many rows may share a text of a dictionary, which is in memory once. */
interface Decoded extends Stretch {
  rows: Record<string, unknown>[];
}

export class ParquetRows implements RowReader {
  readonly fault = null;
  contentHash: string | null = null;
  private decoded: Decoded = { from: 0, to: 0, rows: [] };
  private readonly checked = new Set<FileMetaData['row_groups'][number]>();
  private readonly stretches: Stretch[];
  private readonly rows: number;
  /** Rows have no positions in the file, so each gets an equal share of its bytes, for estimates based on size. */
  private readonly rowBytes: number;

  private constructor(
    private readonly opened: DataFile,
    private readonly file: AsyncFile,
    private readonly metadata: FileMetaData,
  ) {
    this.stretches = stretchesOf(metadata);
    this.rows = this.stretches.at(-1)?.to ?? 0;
    this.rowBytes = Math.max(1, Math.round(this.size / Math.max(1, this.rows)));
  }

  /** @param opened is closed with the reader @throws InputError if the file is not Parquet or is damaged */
  static async open(opened: DataFile): Promise<ParquetRows> {
    const { size } = opened;
    const file: AsyncFile = {
      byteLength: size,
      async slice(start, end = size) {
        if (!(start >= 0 && start <= size)) throw new Error(`the file has no byte ${start}`);
        const bytes = new Uint8Array(Math.max(0, Math.min(end, size) - start));
        await opened.read(Buffer.from(bytes.buffer), start);
        return bytes.buffer;
      },
    };
    const beginning = await opened.read(Buffer.alloc(Math.min(size, 4096)), 0);
    if (!beginning.toString('latin1').startsWith('PAR1')) checkIsText(beginning, opened.path);
    const metadata = await readMetadata(file).catch((error: Error) => {
      throw damaged(opened.path, error);
    });
    return new ParquetRows(opened, file, metadata);
  }

  get size(): number {
    return this.file.byteLength;
  }

  /** `line` is the number of the row. */
  async *scan(onRow: OnRow): AsyncGenerator<number> {
    const { size, rows, rowBytes } = this;
    const hash = createHash('sha256');
    let row = 0;
    for (let at = 0; at < size; at += HASH_BYTES) {
      hash.update(new Uint8Array(await this.file.slice(at, at + HASH_BYTES)));
      const share = Math.min(1, (at + HASH_BYTES) / size);
      if (share === 1) this.contentHash = hash.digest('hex');
      for (const end = Math.round(share * rows); row < end; row++) {
        onRow(row * (rowBytes + 1), row * (rowBytes + 1) + rowBytes, row + 1);
      }
      yield share;
    }
  }

  async texts(places: readonly RowPlace[]): Promise<string[]> {
    const schema = parquetSchema(this.metadata);
    const texts: string[] = [];
    try {
      for (const { start } of places) {
        const row = start / (this.rowBytes + 1);
        let { decoded } = this;
        if (row < decoded.from || row >= decoded.to) decoded = this.decoded = await this.decode(row);
        texts.push(writeJsonText(fieldsOf(decoded.rows[row - decoded.from]!, schema, () => true)));
      }
    } catch (error) {
      throw damaged(this.opened.path, error as Error);
    }
    return texts;
  }

  private async decode(row: number): Promise<Decoded> {
    const { file, metadata } = this;
    const { from, to } = this.stretches.find(stretch => row < stretch.to) as Stretch;
    await this.checkGroups(from, to);
    const rows = await parquetReadObjects({ file, metadata, compressors, rowStart: from, rowEnd: to });
    return { from, to, rows };
  }

  /** Checks the pages of the row groups that have these rows, once. */
  private async checkGroups(from: number, to: number): Promise<void> {
    let start = 0;
    for (const group of this.metadata.row_groups) {
      const end = start + Number(group.num_rows);
      if (start < to && end > from && !this.checked.has(group)) {
        await checkPages(this.metadata, group, (first, last) => this.file.slice(first, last));
        this.checked.add(group);
      }
      start = end;
    }
  }

  parse(text: string): Row {
    return parseJsonText(text) as Row;
  }

  columnOf(): Promise<null> {
    return Promise.resolve(null);
  }

  async close(): Promise<void> {
    await this.opened.close();
  }
}

const FOOTER_BYTES = 8;

async function readMetadata(file: AsyncFile): Promise<FileMetaData> {
  const end = await file.slice(Math.max(0, file.byteLength - FOOTER_BYTES));
  const length = end.byteLength < FOOTER_BYTES ? 0 : new DataView(end).getUint32(0, true);
  if (length <= file.byteLength - FOOTER_BYTES) checkFooter(await file.slice(file.byteLength - FOOTER_BYTES - length));
  // What it looks for in the schema otherwise, it may never find the end of.
  const metadata = await parquetMetadataAsync(file, { geoparquet: false });
  checkMetadata(metadata, file.byteLength);
  return metadata;
}

function stretchesOf({ row_groups: groups }: FileMetaData): Stretch[] {
  const stretches: Stretch[] = [];
  let from = 0;
  for (const group of groups) {
    const end = from + Number(group.num_rows);
    const parts = Math.max(1, Math.ceil(Number(group.total_byte_size) / STRETCH_BYTES));
    const rows = Math.max(1, Math.ceil((end - from) / parts));
    for (; from < end; from = Math.min(from + rows, end)) stretches.push({ from, to: Math.min(from + rows, end) });
  }
  return stretches;
}

/**
 * A value as `writeJsonText` takes it: lists of numbers are typed arrays, and whole floats, which Python prints as 2.0, are numbers like
 * any other until they are boxed.
 * @param type of the value in the file's schema
 */
function plain(value: unknown, type: SchemaTree | undefined): unknown {
  if (typeof value === 'number') return type && FLOATS.has(type.element.type) ? new Number(value) : value;
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  if (Array.isArray(value) || ArrayBuffer.isView(value)) {
    const itemType = itemTypeOf(type);
    return Array.from(value as unknown[], item => plain(item, itemType));
  }
  return fieldsOf(value as Record<string, unknown>, type, item => item !== null);
}

const FLOATS: ReadonlySet<string | undefined> = new Set(['FLOAT', 'DOUBLE']);

function fieldsOf(
  struct: Record<string, unknown>,
  type: SchemaTree | undefined,
  isKept: (item: unknown) => boolean,
): Record<string, unknown> {
  const fields = Object.entries(struct).filter(([, item]) => isKept(item));
  return Object.fromEntries(
    fields.map(([key, item]) => [
      key,
      plain(
        item,
        type?.children.find(({ element }) => element.name === key),
      ),
    ]),
  );
}

/** A list is a group with one repeated child, which is the item or, usually, a group with the item. */
function itemTypeOf(list: SchemaTree | undefined): SchemaTree | undefined {
  const repeated = list?.children[0];
  return repeated?.children.length === 1 ? repeated.children[0] : repeated;
}

/** The library takes parts of the metadata for granted. */
function damaged(path: string, error: Error): InputError {
  const isOfLibrary = error instanceof TypeError || error instanceof RangeError;
  const reason = isOfLibrary ? 'a part of it is missing or of another kind' : error.message;
  return new InputError(`the Parquet file can't be read: ${reason}`, {
    file: path,
    hint: 'It may be truncated: copy or download it again.',
  });
}
