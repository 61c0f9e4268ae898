// Which format a preview reads a file by. Where the engine would be sure, the same; where single rows are wrong, the format of
// most of them, so that those rows can be named. Pure; called by the preview's worker.
import { InputError } from '../inputError.js';
import type { Row } from './example.js';
import type { DatasetFormat } from './formats/datasetFormat.js';
import { datasetFormats } from './formats/registry.js';
import { detectFormat, formatByName, mapColumns, sampleRows, type ColumnMapping } from './resolveFormat.js';

/** @param rows from the beginning of the file, null where one can't be parsed @returns null: they are no dataset */
export function chooseFormat(
  rows: readonly (Row | null)[],
  name: string,
  columns: ColumnMapping,
): DatasetFormat | null {
  if (name !== 'auto') return formatByName(name);
  const mapped = rows.slice(0, sampleRows).flatMap(row => (row ? [mapColumns(row, columns)] : []));
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
