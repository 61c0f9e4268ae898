// The format of the first rows of a file, and what they are in it: for the preview's first page, for sample prompts and for telling
// datasets from other files. The engine's choice. Pure.
import { unlessWrong } from '../inputError.js';
import type { Example, Row } from './example.js';
import { FORMAT_SAMPLE_ROWS, mapColumns, resolveFormat, type ResolvedFormat } from './resolveFormat.js';

/** @param rows the first rows of the file, null for one that can't be parsed @returns null if they fit no format */
export function chooseFormat(rows: readonly (Row | null)[]): ResolvedFormat | null {
  const sample = rows
    .slice(0, FORMAT_SAMPLE_ROWS)
    .flatMap((row, i) => (row ? [{ row, source: { file: '', line: i + 1 } }] : []));
  return sample.length === 0 ? null : unlessWrong(() => resolveFormat(sample, 'auto', {}));
}

/** null if the row is not in the format. */
export function exampleOf(row: Row, { format, columns }: ResolvedFormat): Example | null {
  return unlessWrong(() => format.parse(mapColumns(row, columns), { file: '', line: 0 }));
}
