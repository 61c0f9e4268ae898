// The types of dataset files by extension. Used by the command line, the readers (rows/) and wherever the host asks whether a
// file can be a dataset. A new type is a line here and a reader in rows/openRowFile.ts.
import type { ScannedFileType } from './rowScanner.js';

export type RowFileType = ScannedFileType | 'parquet';

const TYPES: Readonly<Record<string, RowFileType>> = {
  '.jsonl': 'jsonl',
  '.ndjson': 'jsonl',
  '.json': 'json',
  '.csv': 'csv',
  '.parquet': 'parquet',
};

/** The extensions of dataset files, with the dot. */
export const ROW_FILE_EXTENSIONS: readonly string[] = Object.keys(TYPES);

/** With the dot, in lower case; '' if the name has none. */
export function extensionOf(path: string): string {
  return /[^/\\](\.[^./\\]*)$/.exec(path)?.[1].toLowerCase() ?? '';
}

/** null if the extension is not that of a dataset. */
export function fileTypeOf(path: string): RowFileType | null {
  const extension = extensionOf(path);
  return Object.hasOwn(TYPES, extension) ? TYPES[extension] : null;
}
