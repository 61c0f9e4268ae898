// Reads the rows of a dataset file in order, each with its line, with the readers of rows/ that the preview uses too. Called by
// loadDataset. Rows are interpreted by core/data/formats.
import type { Row, RowSource, SourcedRow } from '../../core/data/example.js';
import { RowSyntaxError } from '../../core/data/rowText.js';
import { InputError } from '../../core/inputError.js';
import { openRowFile } from '../../rows/openRowFile.js';
import { placeInFile } from '../../rows/placeInFile.js';
import type { RowPlace, RowReader } from '../../rows/rowReader.js';

/** Number of rows whose texts are in memory at once. */
const ROWS_AT_ONCE = 256;

export interface ReadOptions {
  signal?: AbortSignal;
  /** Called for a row that can't be read, which is then left out; by default its error is thrown. */
  onBadRow?: (error: InputError, source: RowSource) => void;
  /** Called with the share of the file that has been read, 0 to 1. */
  onShare?: (share: number) => void;
  /** Called with the SHA-256 of the file, hexadecimal, after the last row. */
  onHash?: (contentHash: string) => void;
}

/**
 * Reads `path` from its beginning, without loading the whole file into memory.
 * @throws InputError with file and line for the first row that can't be read, for a file without rows, and for a fault outside them
 */
export async function* readRows(path: string, options?: ReadOptions): AsyncGenerator<SourcedRow> {
  yield* rowsOf(await openRowFile(path), path, options);
}

/**
 * The same of an open file or an editor's text, which it closes.
 * @param path named in errors
 */
export async function* rowsOf(
  reader: RowReader,
  path: string,
  { signal, onBadRow, onShare, onHash }: ReadOptions = {},
): AsyncGenerator<SourcedRow> {
  try {
    let places: (RowPlace & { line: number })[] = [];
    let isEmpty = true;
    for await (const share of reader.scan((start, end, line) => places.push({ start, end, line }))) {
      for (let from = 0; from < places.length; from += ROWS_AT_ONCE) {
        const some = places.slice(from, from + ROWS_AT_ONCE);
        const texts = await reader.texts(some);
        for (const [i, place] of some.entries()) {
          const source = { file: path, line: place.line };
          const row = parse(reader, texts[i]);
          if (!(row instanceof InputError)) yield { row, source };
          else {
            const error = await located(row, reader, texts[i], place, path);
            if (!onBadRow || row.where) throw error;
            onBadRow(error, source);
          }
        }
      }
      isEmpty &&= places.length === 0;
      places = [];
      signal?.throwIfAborted();
      onShare?.(share);
    }
    if (reader.fault) throw inFile(reader.fault, path);
    if (isEmpty) throw new InputError('the dataset is empty: the file has no rows', { file: path });
    if (reader.contentHash) onHash?.(reader.contentHash);
  } finally {
    await reader.close();
  }
}

function parse(reader: RowReader, text: string): Row | InputError {
  try {
    return reader.parse(text);
  } catch (error) {
    if (error instanceof InputError) return error;
    throw error;
  }
}

/** An editor's text has no file. */
function inFile(error: InputError, file: string): InputError {
  const { message, code: _code, ...place } = error.record();
  return new InputError(message, { ...place, file: place.file ?? file });
}

/** The error with file, line and, for invalid JSON, the column. */
async function located(
  error: InputError,
  reader: RowReader,
  text: string,
  { start, line }: RowPlace & { line: number },
  file: string,
): Promise<InputError> {
  if (error.where) return error;
  const { message, hint } = error;
  if (!(error instanceof RowSyntaxError)) return new InputError(message, { file, line, hint });
  return new InputError(message, { file, ...(await placeInFile(reader, { text, start, line }, error.offset)), hint });
}
