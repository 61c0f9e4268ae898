// The format in which the preview reads a file: the engine's choice where that is unambiguous; where some rows are invalid, the
// format of the majority, so that the invalid rows can be reported. Pure; called by the preview's worker.
import { InputError } from '../inputError.js';
import type { Row } from './example.js';
import type { DatasetFormat } from './formats/datasetFormat.js';
import { datasetFormats } from './formats/registry.js';
import { detectFormat, formatByName, mapColumns, FORMAT_SAMPLE_ROWS, type ColumnMapping } from './resolveFormat.js';

/** @param rows the first rows of the file, null for one that can't be parsed @returns null if they fit no format */
export function chooseFormat(
  rows: readonly (Row | null)[],
  name: string,
  columns: ColumnMapping,
): DatasetFormat | null {
  if (name !== 'auto') return formatByName(name);
  const mapped = rows.slice(0, FORMAT_SAMPLE_ROWS).flatMap(row => (row ? [mapColumns(row, columns)] : []));
  if (mapped.length === 0) return null;
  try {
    return detectFormat(mapped.map((row, i) => ({ row, source: { file: '', line: i + 1 } })));
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
  }
  const fits = datasetFormats.map(format => mapped.filter(row => format.detect(row)).length);
  const most = Math.max(...fits);
  const best = datasetFormats.filter((_, i) => fits[i] === most);
  return best.length === 1 && most * 2 > mapped.length ? best[0] : null;
}
