// Parses the text of one row, for the file types whose rows are found by scanning. Training and the preview both parse rows here,
// so that they have the same values and the same error messages. Errors have no file and line: the caller knows them.
import { InputError } from '../inputError.js';
import { csvRow } from './csvRecord.js';
import type { Row } from './example.js';
import { isObject, kindOf } from './formats/rowFields.js';
import type { ScannedFileType } from './rowScanner.js';

/**
 * @param header columns of a CSV file; empty for other types
 * @throws InputError (without file and line) for a text that is not a row
 */
export function parseRow(fileType: ScannedFileType, text: string, header: readonly string[]): Row {
  if (fileType === 'csv') return csvRow(text, header);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    // V8 adds a line and column counted from the beginning of the row.
    const message = (error as Error).message.replace(/ \(line \d+ column \d+\)$/, '');
    throw new InputError(`invalid JSON: ${message}`, {
      hint: fileType === 'jsonl' ? 'Each line must be one complete JSON object.' : undefined,
    });
  }
  if (isObject(value)) return value;
  throw new InputError(`a row must be a JSON object, but this is ${kindOf(value)}`, {
    hint: 'Example: {"prompt": "...", "completion": "..."}.',
  });
}

/** Where `parseRow` failed in the row's text, in UTF-16 units; null if its message doesn't say. */
export function faultOffset(message: string): number | null {
  const found = /position (\d+)/.exec(message);
  return found ? Number(found[1]) : null;
}
