// What the text of a row holds, for the file types whose rows are found by scanning. Used by the worker's row sources and for
// the rows that the preview shows first.
import { csvRow, splitCsvRecord } from '../../../core/data/csvRecord.js';
import type { Row } from '../../../core/data/example.js';
import { InputError } from '../../../core/inputError.js';
import type { ScannedFileType } from '../../../core/data/rowScanner.js';

/** Names of the columns; none where the record is broken. */
export function csvHeader(text: string): string[] {
  try {
    return splitCsvRecord(text);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return [];
  }
}

/**
 * @param header of a CSV file; for others it isn't looked at
 * @throws InputError (without where) for a text that is no row
 */
export function parseScannedRow(fileType: ScannedFileType, text: string, header: readonly string[]): Row {
  if (fileType === 'csv') return csvRow(text, header);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new InputError(`invalid JSON: ${(error as Error).message}`, {
      hint: fileType === 'jsonl' ? 'Each line must be one whole JSON object.' : undefined,
    });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Row;
  const kind = Array.isArray(value) ? 'a list' : value === null ? 'null' : `a ${typeof value}`;
  throw new InputError(`a row must be a JSON object, but this is ${kind}`);
}
