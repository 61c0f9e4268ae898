// Reads the rows of a dataset file in order, each with its line, with the readers of rows/ that the preview uses too. Called by
// loadDataset. Rows are interpreted by core/data/formats.
import type { Row, SourcedRow } from '../../core/data/example.js';
import { faultOffset } from '../../core/data/rowText.js';
import { InputError } from '../../core/inputError.js';
import { openRowFile } from '../../rows/openRowFile.js';
import type { RowPlace, RowReader } from '../../rows/rowReader.js';

/** Number of rows whose texts are in memory at once. */
const ROWS_AT_ONCE = 256;

export interface ReadOptions {
  signal?: AbortSignal;
  /** Called with the share of the file that has been read, 0 to 1. */
  onShare?: (share: number) => void;
  /** Called with the SHA-256 of the file, hexadecimal, after the last row. */
  onHash?: (contentHash: string) => void;
}

/**
 * Reads `path` from its beginning, without loading the whole file into memory.
 * @throws InputError with file and line for the first row that can't be read, and for a file without rows
 */
export async function* readRows(
  path: string,
  { signal, onShare, onHash }: ReadOptions = {},
): AsyncGenerator<SourcedRow> {
  const reader = await openRowFile(path);
  try {
    let places: (RowPlace & { line: number })[] = [];
    let isEmpty = true;
    for await (const share of reader.scan((start, end, line) => places.push({ start, end, line }))) {
      for (let from = 0; from < places.length; from += ROWS_AT_ONCE) {
        const some = places.slice(from, from + ROWS_AT_ONCE);
        const texts = await reader.texts(some);
        for (const [i, { line }] of some.entries()) {
          yield { row: parseAt(reader, texts[i], path, line), source: { file: path, line } };
        }
      }
      isEmpty &&= places.length === 0;
      places = [];
      signal?.throwIfAborted();
      onShare?.(share);
    }
    if (reader.fault) throw reader.fault;
    if (isEmpty) throw new InputError('the dataset is empty: the file has no rows', { file: path });
    if (reader.contentHash) onHash?.(reader.contentHash);
  } finally {
    await reader.close();
  }
}

/** A row of .json may have several lines: the error names the one with the JSON error. */
function parseAt(reader: RowReader, text: string, file: string, line: number): Row {
  try {
    return reader.parse(text);
  } catch (error) {
    if (!(error instanceof InputError) || error.where) throw error;
    const before = text.slice(0, faultOffset(error.message) ?? 0).split('\n').length - 1;
    throw new InputError(error.message, { file, line: line + before, hint: error.hint });
  }
}
