// The file types that rows are read from, by a file's extension. Used by the command line, by the reader (rows/) and by every
// part of the host that asks whether a file can be a dataset. A new type is a line here and a reader in rows/openRowFile.ts.
import type { ScannedFileType } from './rowScanner.js';

export type RowFileType = ScannedFileType | 'parquet';

const types: Readonly<Record<string, RowFileType>> = {
  '.jsonl': 'jsonl',
  '.ndjson': 'jsonl',
  '.json': 'json',
  '.csv': 'csv',
  '.parquet': 'parquet',
};

/** The extensions of dataset files, with the dot. */
export const rowFileExtensions: readonly string[] = Object.keys(types);

/** With the dot, in lower case; '' where the name has none. */
export function extensionOf(path: string): string {
  return /[^/\\](\.[^./\\]*)$/.exec(path)?.[1].toLowerCase() ?? '';
}

/** null where the extension is none of a dataset's. */
export function fileTypeOf(path: string): RowFileType | null {
  const extension = extensionOf(path);
  return Object.hasOwn(types, extension) ? types[extension] : null;
}
