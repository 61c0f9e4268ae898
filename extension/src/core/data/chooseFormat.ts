// The format of the first rows of a file, for the preview's first page and for sample prompts: the engine's choice. Pure.
import { InputError } from '../inputError.js';
import type { Row } from './example.js';
import { FORMAT_SAMPLE_ROWS, resolveFormat, type ColumnMapping, type ResolvedFormat } from './resolveFormat.js';

/** @param rows the first rows of the file, null for one that can't be parsed @returns null if they fit no format */
export function chooseFormat(
  rows: readonly (Row | null)[],
  name: string,
  columns: ColumnMapping,
): ResolvedFormat | null {
  const sample = rows
    .slice(0, FORMAT_SAMPLE_ROWS)
    .flatMap((row, i) => (row ? [{ row, source: { file: '', line: i + 1 } }] : []));
  if (sample.length === 0 && name === 'auto') return null;
  try {
    return resolveFormat(sample, name, columns);
  } catch (error) {
    if (error instanceof InputError) return null;
    throw error;
  }
}
