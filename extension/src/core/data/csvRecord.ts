// Splits a CSV record into fields by RFC 4180; spaces are kept, CR LF within quotes becomes LF. Like Python's csv and pandas it takes a
// quote within an unquoted field for a character, and fields that are absent at the end for missing. Called by rowText.ts for rows and
// by rows/ for the header.
import { InputError } from '../inputError.js';
import type { Row } from './example.js';
import type { Delimiter } from './rowLayout.js';

const QUOTING_HINT =
  'A field with a delimiter or a line break must be enclosed in double quotes, with quotes inside it doubled.';

/** @throws InputError (without file and line) for wrong quotes */
export function splitCsvRecord(record: string, delimiter: Delimiter): string[] {
  const text = record.replaceAll('\r\n', '\n');
  const fields: string[] = [];
  for (let at = 0; ;) {
    let end: number;
    if (text[at] === '"') {
      const close = closingQuote(text, at);
      if (close < 0) throw new InputError('a quote in this record is never closed', { hint: QUOTING_HINT });
      end = close + 1;
      if (end < text.length && text[end] !== delimiter) {
        throw new InputError(`field ${fields.length + 1} continues after its closing quote`, { hint: QUOTING_HINT });
      }
      fields.push(text.slice(at + 1, close).replaceAll('""', '"'));
    } else {
      const next = text.indexOf(delimiter, at);
      end = next < 0 ? text.length : next;
      fields.push(text.slice(at, end));
    }
    if (end >= text.length) return fields;
    at = end + 1;
  }
}

/**
 * The names of a file's columns. Of two equal names the second gets a number, as in pandas, so that the first keeps its column.
 * @throws InputError (without file and line) for wrong quotes
 */
export function csvHeader(record: string, delimiter: Delimiter): string[] {
  const names = splitCsvRecord(record, delimiter);
  const header = new Set<string>();
  for (const name of names) {
    let own = name;
    for (let count = 1; header.has(own) || (count > 1 && names.includes(own)); count++) own = `${name}.${count}`;
    header.add(own);
  }
  return [...header];
}

/** @throws InputError (without file and line) if there are more fields than in the header */
export function csvRow(record: string, header: readonly string[], delimiter: Delimiter): Row {
  const fields = splitCsvRecord(record, delimiter);
  if (fields.length > header.length) {
    throw new InputError(`the record has ${fields.length} fields, the header ${header.length}`, { hint: QUOTING_HINT });
  }
  return Object.fromEntries(fields.map((field, i) => [header[i], field]));
}

function closingQuote(text: string, open: number): number {
  for (let at = text.indexOf('"', open + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    if (text[at + 1] !== '"') return at;
    at++;
  }
  return -1;
}
