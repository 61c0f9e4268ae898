// Rows of .csv: a header line, then records, streamed. Called by readRows.ts. Every value is a text.
import { Readable, pipeline } from 'node:stream';
import { CsvError, parse, type Info } from 'csv-parse';
import type { Row, SourcedRow } from '../../core/data/example.js';
import { InputError } from '../../core/inputError.js';
import { readTextBlocks, type ReadOptions } from './textBlocks.js';

interface CsvItem {
  record: Row;
  info: Info;
  raw: string;
}

/** An opening quote that is never closed must not take the rest of the file into memory. */
const maxRecordCharacters = 64 << 20;

/** @throws InputError with file:line for a record with another number of columns than the header, and for wrong quotes */
export async function* readCsv(path: string, options: ReadOptions): AsyncGenerator<SourcedRow> {
  let lastRecordEnd = 1;
  const parser = parse({
    columns: true,
    skip_empty_lines: true,
    info: true,
    raw: true,
    max_record_size: maxRecordCharacters,
    on_record: (item: CsvItem) => {
      lastRecordEnd = item.info.lines;
      return item;
    },
  });
  // The error of either stream comes out of the loop below.
  pipeline(Readable.from(readText(path, options)), parser, () => {});
  try {
    for await (const item of parser) {
      const { record, info, raw } = item as CsvItem;
      yield { row: record, source: { file: path, line: info.lines - countLineBreaks(raw.trim()) } };
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    // Of a quote that is never closed csv-parse tells the end of the file.
    const isOpen = error.code === 'CSV_QUOTE_NOT_CLOSED' || error.code === 'CSV_MAX_RECORD_SIZE';
    throw new InputError(isOpen ? 'a quote that is opened in this record is never closed' : error.message, {
      where: `${path}:${isOpen ? lastRecordEnd + 1 : String(error.lines)}`,
      hint: 'A field with a comma, a quote or a line break must stand in double quotes, a quote in it doubled.',
    });
  } finally {
    parser.destroy();
  }
}

/** csv-parse counts CRLF within quotes as two lines. */
async function* readText(path: string, options: ReadOptions): AsyncGenerator<string> {
  for await (const { text } of readTextBlocks(path, options)) yield text.replaceAll('\r\n', '\n');
}

function countLineBreaks(text: string): number {
  return text.split('\n').length - 1;
}
