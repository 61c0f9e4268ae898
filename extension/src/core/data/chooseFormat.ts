// Which format a preview reads a file by. Where the engine would be sure, the same; where single rows are wrong, the format of
// most of them, so that those rows can be named. Pure; called by the preview's worker.
import { InputError } from '../inputError.js';
import type { Row } from './example.js';
import type { DatasetFormat } from './formats/datasetFormat.js';
import { datasetFormats } from './formats/registry.js';
import { detectFormat, formatByName, mapColumns, type ColumnMapping } from './resolveFormat.js';

/** @param rows the first rows that could be parsed; null: they are no dataset */
export function chooseFormat(rows: readonly Row[], name: string, columns: ColumnMapping): DatasetFormat | null {
  if (name !== 'auto') return formatByName(name);
  if (rows.length === 0) return null;
  const mapped = rows.map(row => mapColumns(row, columns));
  try {
    return detectFormat(mapped.map((row, i) => ({ row, source: { file: '', line: i + 1 } })));
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
  }
  const fits = datasetFormats.map(format => mapped.filter(row => format.detect(row)).length);
  const most = Math.max(...fits);
  const best = datasetFormats.filter((_, i) => fits[i] === most);
  return best.length === 1 && most * 2 > rows.length ? best[0] : null;
}
