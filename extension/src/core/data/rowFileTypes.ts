// The types of dataset files by extension. Used by the command line, the readers (rows/) and wherever the host asks whether a
// file can be a dataset. A new type is a line here and a reader in rows/openRowFile.ts.
/** Types whose rows are found by scanning a text. The layout of a JSON text is decided by its beginning (rowLayout.ts). */
export type ScannedFileType = 'jsonl' | 'json' | 'csv' | 'tsv';
export type RowFileType = ScannedFileType | 'parquet';

const TYPES: Readonly<Record<string, RowFileType>> = {
  '.jsonl': 'jsonl',
  '.ndjson': 'jsonl',
  '.json': 'json',
  '.csv': 'csv',
  '.tsv': 'tsv',
  '.parquet': 'parquet',
};

/** The extensions of dataset files, with the dot. A compressed text has ".gz" after it. */
export const ROW_FILE_EXTENSIONS: readonly string[] = Object.keys(TYPES);

/** How the names of dataset files end, without the dot, for dialogs and patterns. */
export const ROW_FILE_ENDINGS: readonly string[] = [...ROW_FILE_EXTENSIONS.map(extension => extension.slice(1)), 'gz'];

/** With the dot, in lower case, such as ".jsonl" and ".jsonl.gz"; '' if the name has none. */
export function extensionOf(path: string): string {
  return /[^/\\](\.[^./\\]*(\.gz)?)$/i.exec(path)?.[1].toLowerCase() ?? '';
}

/** null if the extension is not that of a dataset. */
export function fileTypeOf(path: string): RowFileType | null {
  const extension = extensionOf(path).replace(/^(?!\.parquet)(.*)\.gz$/, '$1');
  return Object.hasOwn(TYPES, extension) ? TYPES[extension] : null;
}
