// Parses the text of one row, for the file types whose rows are found by scanning. Training and the preview both parse rows here,
// so that they have the same values and the same error messages. Errors have no file and line: the caller knows them.
import { InputError, type InputErrorDetails } from '../inputError.js';
import { csvRow } from './csvRecord.js';
import type { Row } from './example.js';
import { isObject, kindOf } from './formats/rowFields.js';
import { JsonFault, parseJsonText } from './jsonText.js';
import type { RowLayout } from './rowLayout.js';

/** A row's text is not JSON. */
export class RowSyntaxError extends InputError {
  constructor(
    message: string,
    /** Where in the row's text, in UTF-16 units. */
    readonly offset: number,
    details: InputErrorDetails,
  ) {
    super(message, details);
  }
}

/**
 * @param header columns of a CSV file; empty for other types
 * @throws InputError (without file and line) for a text that is not a row
 */
export function parseRow(layout: RowLayout, text: string, header: readonly string[]): Row {
  if (layout.kind === 'csv') return csvRow(text, header, layout.delimiter);
  const value = parseJson(layout.kind, text);
  if (isObject(value)) return value;
  // As `datasets` reads a list of texts.
  if (layout.kind === 'list' && typeof value === 'string') return { text: value };
  throw new InputError(`a row must be a JSON object, but this is ${kindOf(value)}`, {
    hint: 'Example: {"prompt": "...", "completion": "..."}.',
  });
}

function parseJson(kind: 'lines' | 'values' | 'list', text: string): unknown {
  try {
    return parseJsonText(text);
  } catch (error) {
    if (!(error instanceof JsonFault)) throw error;
    throw new RowSyntaxError(`invalid JSON: ${error.found}`, error.offset, { hint: hintOf(kind, text, error) });
  }
}

function hintOf(kind: 'lines' | 'values' | 'list', text: string, { found, offset }: JsonFault): string | undefined {
  if (/^[{[]\s*'/.test(text))
    return "JSON has double quotes; Python's str() and repr() write single ones: use json.dumps.";
  if (/^, after the end/.test(found))
    return 'Remove the comma at the end of the line, or put brackets around all rows.';
  if (/^the control character|^a line break within/.test(found))
    return 'Escape it: \\n for a line break, \\t for a tab.';
  if (/^half a surrogate/.test(found)) return 'Escape both halves of the character, or write it unescaped.';
  if (kind !== 'lines') return undefined;
  if (offset >= text.length || /closing quote/.test(found)) return 'The line ends within a row: it may be cut off.';
  return 'Each line must be one complete JSON object.';
}
