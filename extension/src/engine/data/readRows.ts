// Rows of a dataset file, whatever its file type, one after the other with where they stand. Called by loadDataset, the
// preview and `inspect`. Rows are not looked at here: what they mean is for core/data/formats.
import { extname } from 'node:path';
import type { SourcedRow } from '../../core/data/example.js';
import { InputError } from '../../core/inputError.js';
import { readCsv } from './csvRows.js';
import { readJsonArray, readJsonLines } from './jsonRows.js';
import { readParquet } from './parquetRows.js';
import type { ReadOptions } from './textBlocks.js';

const readers: Record<string, (path: string, options: ReadOptions) => AsyncGenerator<SourcedRow>> = {
  '.jsonl': readJsonLines,
  '.ndjson': readJsonLines,
  '.json': readJsonArray,
  '.csv': readCsv,
  '.parquet': readParquet,
};

/** The file types that can be read, with the dot. */
export const rowFileExtensions: readonly string[] = Object.keys(readers);

/**
 * Reads `path` from its start; JSONL, CSV and Parquet are never in memory whole.
 * @throws InputError for an unknown type, a file without rows, and as the readers of the types do
 */
export async function* readRows(path: string, options: ReadOptions = {}): AsyncGenerator<SourcedRow> {
  const extension = extname(path).toLowerCase();
  const read = Object.hasOwn(readers, extension) ? readers[extension] : undefined;
  if (!read) {
    throw new InputError(extension ? `"${extension}" is no dataset file` : 'the dataset file has no extension', {
      where: path,
      hint: `Datasets are ${rowFileExtensions.join(', ')} files.`,
    });
  }
  let isEmpty = true;
  for await (const sourced of read(path, options)) {
    isEmpty = false;
    yield sourced;
  }
  if (isEmpty) throw new InputError('the dataset is empty: there is no row in the file', { where: path });
}
