// Checks the sizes in a Parquet file before hyparquet allocates memory by them: it takes the numbers of values, repetitions and bytes
// as they are, so that some hundred bytes could end the process. Called by parquetRows.ts. Decodes no values.
import type { FileMetaData } from 'hyparquet';
import { parquetHeader } from 'hyparquet/src/column.js';
import { decompressPage } from 'hyparquet/src/datapage.js';
import { getMaxDefinitionLevel, getMaxRepetitionLevel, getTreePath } from 'hyparquet/src/schema.js';
import { parquetSchema } from 'hyparquet/src/metadata.js';
import { compressors } from 'hyparquet-compressors';

type RowGroup = FileMetaData['row_groups'][number];
type Column = NonNullable<RowGroup['columns'][number]['meta_data']>;

interface Reader {
  view: DataView;
  offset: number;
}

/** Real pages have about one megabyte, seldom more than some. */
const MAX_PAGE_BYTES = 256 << 20;
/** In a row group, which is decoded at once. */
const MAX_GROUP_VALUES = 1 << 26;
const MAX_LEVELS = 100;
const ROWS_OF_ANY_FILE = 1_000_000;
const ROWS_PER_BYTE = 4;

/** @param footer the end of a file: the metadata, their length and "PAR1" @throws Error on a length that exceeds the file */
export function checkFooter(footer: ArrayBuffer): void {
  skipStruct({ view: new DataView(footer), offset: 0 }, 0);
}

/** @throws Error if the schema isn't one tree, or if the numbers of rows and values contradict each other, or can't come from so small a file */
export function checkMetadata(metadata: FileMetaData, fileBytes: number): void {
  const { num_rows: allRows, row_groups: groups, schema } = metadata;
  checkSchema(schema);
  let rows = 0;
  for (const group of groups) {
    const groupRows = size(group.num_rows, MAX_GROUP_VALUES, 'rows of a row group');
    rows += groupRows;
    let values = 0;
    for (const { meta_data: column } of group.columns) {
      if (!column) throw new Error('a column has no metadata');
      const ofColumn = size(column.num_values, MAX_GROUP_VALUES, 'values of a column');
      values += ofColumn;
      if (ofColumn < groupRows) throw new Error(`a column has ${ofColumn} values for ${groupRows} rows`);
      size(column.total_compressed_size, fileBytes, 'bytes of a column');
      size(column.data_page_offset, fileBytes, 'position of a column');
      if (column.dictionary_page_offset !== undefined)
        size(column.dictionary_page_offset, fileBytes, 'position of a dictionary');
    }
    size(values, MAX_GROUP_VALUES, 'values of a row group');
  }
  if (rows !== Number(allRows)) throw new Error(`the file names ${allRows} rows, but its row groups have ${rows}`);
  size(rows, ROWS_OF_ANY_FILE + ROWS_PER_BYTE * fileBytes, 'rows of the file');
}

function checkSchema(schema: FileMetaData['schema']): void {
  // Children that are still to come, of each element that leads to the one at hand.
  const left: number[] = [];
  schema.forEach(({ num_children: children = 0 }, i) => {
    if (i > 0) {
      if (left.length === 0) throw new Error('the schema has an element without a parent');
      left.push(left.pop()! - 1);
    }
    left.push(size(children, schema.length - i - 1, 'children of a column'));
    while (left.at(-1) === 0) left.pop();
    if (left.length > MAX_LEVELS) throw new Error(`the columns are nested more than ${MAX_LEVELS} levels deep`);
  });
  if (left.length > 0) throw new Error('the schema has fewer elements than it names');
}

/** @param read bytes of the file @throws Error on a page whose sizes contradict the file's metadata */
export async function checkPages(
  metadata: FileMetaData,
  group: RowGroup,
  read: (start: number, end: number) => Promise<ArrayBuffer>,
): Promise<void> {
  const tree = parquetSchema(metadata);
  for (const { meta_data: column } of group.columns) {
    const path = getTreePath(tree, column!.path_in_schema);
    const start = Number(column!.dictionary_page_offset || column!.data_page_offset);
    const bytes = await read(start, start + Number(column!.total_compressed_size));
    const levels = [getMaxRepetitionLevel(path), getMaxDefinitionLevel(path)].map(level => 32 - Math.clz32(level));
    checkColumn({ view: new DataView(bytes), offset: 0 }, column!, levels);
  }
}

/** @param levels bits of repetition and definition levels */
function checkColumn(reader: Reader, column: Column, levels: number[]): void {
  const { view } = reader;
  let left = Number(column.num_values);
  // As hyparquet, which reads no page after the last value of the column.
  while (reader.offset < view.byteLength - 1 && left > 0) {
    skipStruct({ view, offset: reader.offset }, 0);
    const header = parquetHeader(reader);
    const { data_page_header: v1, data_page_header_v2: v2, dictionary_page_header: dictionary } = header;
    const stored = size(header.compressed_page_size, view.byteLength - reader.offset, 'bytes of a page');
    const bytes = new Uint8Array(view.buffer, view.byteOffset + reader.offset, stored);
    const unpacked = size(header.uncompressed_page_size, MAX_PAGE_BYTES, 'bytes of a page');
    reader.offset += stored;
    if (header.type === 'DICTIONARY_PAGE') {
      size(dictionary?.num_values, 8 * unpacked, 'values of a dictionary');
      continue;
    }
    const values = size((v1 ?? v2)?.num_values, left, 'values of a page');
    left -= values;
    const encoding = (v1 ?? v2)!.encoding;
    if (v1) {
      const page = decompressPage(bytes, unpacked, column.codec, compressors);
      let at = 0;
      for (const bits of levels.filter(bits => bits > 0)) at = checkSizedRuns(page, at, bits, values);
      checkValues(page, at, encoding, values);
    } else if (v2) {
      const { repetition_levels_byte_length: first, definition_levels_byte_length: second } = v2;
      size(v2.num_nulls, values, 'nulls of a page');
      size(v2.num_rows, values, 'rows of a page');
      const start = size(first, stored, 'bytes of levels') + size(second, stored - first, 'bytes of levels');
      if (levels[0]! > 0) checkRuns(bytes, 0, first, levels[0]!, values);
      if (levels[1]! > 0) checkRuns(bytes, first, start, levels[1]!, values);
      const content = bytes.subarray(start);
      const isPlain = v2.is_compressed === false;
      const length = size(unpacked - start, MAX_PAGE_BYTES, 'bytes of a page');
      checkValues(isPlain ? content : decompressPage(content, length, column.codec, compressors), 0, encoding, values);
    }
  }
}

function checkValues(page: Uint8Array, at: number, encoding: string, values: number): void {
  if (encoding === 'RLE') checkSizedRuns(page, at, 1, values);
  if (encoding !== 'PLAIN_DICTIONARY' && encoding !== 'RLE_DICTIONARY') return;
  const bits = size(page[at], 32, 'bits of an index');
  if (bits > 0) checkRuns(page, at + 1, page.length, bits, values);
}

/** Runs after their length in bytes. @returns where they end */
function checkSizedRuns(page: Uint8Array, at: number, bits: number, values: number): number {
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
  const end = at + 4 + size(view.getUint32(at, true), page.length - at - 4, 'bytes of levels');
  checkRuns(page, at + 4, end, bits, values);
  return end;
}

/** hyparquet writes each run as a whole, whatever its length. */
function checkRuns(page: Uint8Array, from: number, end: number, bits: number, values: number): void {
  const reader = { view: new DataView(page.buffer, page.byteOffset, page.byteLength), offset: from };
  for (let seen = 0; seen < values && reader.offset < end;) {
    const header = readVarInt(reader);
    const isPacked = header % 2 === 1;
    const length = Math.floor(header / 2) * (isPacked ? 8 : 1);
    size(length, values + (isPacked ? 7 : 0), 'values of a run');
    reader.offset += isPacked ? (length / 8) * bits : Math.ceil(bits / 8);
    seen += length;
  }
}

function size(value: unknown, most: number, what: string): number {
  const isNumber = typeof value === 'bigint' || typeof value === 'number';
  if (isNumber && value >= 0 && value <= most) return Number(value);
  throw new Error(`the number of ${what} is ${isNumber ? value : 'no number'}, at most ${most} are possible`);
}

const MAX_DEPTH = 32;

/** Thrift's compact protocol; checks that nothing is longer than what follows. */
function skipStruct(reader: Reader, depth: number): void {
  if (depth > MAX_DEPTH) throw new Error('the metadata is nested too deeply');
  for (;;) {
    const byte = reader.view.getUint8(reader.offset++);
    const type = byte & 15;
    if (type === 0) return;
    if (byte < 16) readVarInt(reader);
    if (type > 2) skipElement(reader, type, depth);
  }
}

function skipElement(reader: Reader, type: number, depth: number): void {
  const left = () => reader.view.byteLength - reader.offset;
  if (type <= 3) reader.offset++;
  else if (type <= 6) readVarInt(reader);
  else if (type === 7) reader.offset += 8;
  else if (type === 8) {
    const length = size(readVarInt(reader), left(), 'bytes of a text');
    reader.offset += length;
  } else if (type === 9) {
    const byte = reader.view.getUint8(reader.offset++);
    const length = size(byte < 240 ? byte >> 4 : readVarInt(reader), left(), 'entries of a list');
    for (let i = 0; i < length; i++) skipElement(reader, byte & 15, depth + 1);
  } else if (type === 12) skipStruct(reader, depth + 1);
  else throw new Error(`the metadata has a value of the unknown type ${type}`);
}

/** As a number of any size: hyparquet's loses all but 32 bits. */
function readVarInt(reader: Reader): number {
  let value = 0;
  for (let factor = 1; ; factor *= 128) {
    const byte = reader.view.getUint8(reader.offset++);
    value += (byte & 127) * factor;
    if (byte < 128) return value;
    if (factor > 2 ** 63) throw new Error('the metadata has a number of more than 64 bits');
  }
}
