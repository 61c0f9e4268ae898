// Rows of a dataset file, one after the other with where they stand: the reader that the preview has too (rows/), at the pace of
// training. Called by loadDataset. What rows mean is for core/data/formats.
import type { Row, SourcedRow } from '../../core/data/example.js';
import { faultOffset } from '../../core/data/rowText.js';
import { InputError } from '../../core/inputError.js';
import { openRowFile } from '../../rows/openRowFile.js';
import type { RowPlace, RowReader } from '../../rows/rowReader.js';

/** Rows whose texts are in memory together. */
const rowsAtOnce = 256;

export interface ReadOptions {
  signal?: AbortSignal;
  /** Share of the file that has been read, 0 to 1. */
  onShare?: (share: number) => void;
  /** SHA-256 of the file, hexadecimal, when the last row was read. */
  onHash?: (contentHash: string) => void;
}

/**
 * Reads `path` from its start; it is never in memory whole.
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
      for (let from = 0; from < places.length; from += rowsAtOnce) {
        const some = places.slice(from, from + rowsAtOnce);
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
    if (isEmpty) throw new InputError('the dataset is empty: there is no row in the file', { file: path });
    if (reader.contentHash) onHash?.(reader.contentHash);
  } finally {
    await reader.close();
  }
}

/** A row of .json may have many lines: the error names the one where its JSON breaks. */
function parseAt(reader: RowReader, text: string, file: string, line: number): Row {
  try {
    return reader.parse(text);
  } catch (error) {
    if (!(error instanceof InputError) || error.where) throw error;
    const before = text.slice(0, faultOffset(error.message) ?? 0).split('\n').length - 1;
    throw new InputError(error.message, { file, line: line + before, hint: error.hint });
  }
}
