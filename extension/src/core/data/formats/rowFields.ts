// Reads the fields of a row for the formats in this folder; errors name file, line and field. An optional field that is absent,
// null or (from CSV) an empty string counts as missing; lists may be JSON in a string, as in CSV.
import { InputError } from '../../inputError.js';
import type { Row, RowSource } from '../example.js';
import { parseJsonText } from '../jsonText.js';

export function has(row: Row, field: string): boolean {
  return row[field] !== undefined && row[field] !== null;
}

export function rowError(source: RowSource, message: string, hint?: string): InputError {
  return new InputError(message, { ...source, hint });
}

/** The text of a required field; it may be empty. */
export function readText(row: Row, field: string, source: RowSource): string {
  const value = row[field];
  if (typeof value === 'string') return value;
  if (value === undefined || value === null) {
    const names = Object.keys(row).join(', ') || 'no fields';
    throw rowError(
      source,
      `"${field}" is missing; the row has ${names}`,
      'Fill it in, or map it with dataset.columns.',
    );
  }
  throw rowError(source, `"${field}" must be a text, but is ${kindOf(value)}`);
}

/** The text of an optional field, `undefined` where it is missing or empty. */
export function readOptionalText(row: Row, field: string, source: RowSource): string | undefined {
  return has(row, field) && row[field] !== '' ? readText(row, field, source) : undefined;
}

export function readList(row: Row, field: string, source: RowSource): unknown[] {
  const list = asList(row[field]);
  if (list) return list;
  if (!has(row, field)) readText(row, field, source);
  throw rowError(source, `"${field}" must be a list, but is ${kindOf(row[field])}`);
}

/** An optional list, `undefined` where it is missing or empty. */
export function readOptionalList(row: Row, field: string, source: RowSource): unknown[] | undefined {
  if (!has(row, field) || row[field] === '') return undefined;
  const list = readList(row, field, source);
  return list.length > 0 ? list : undefined;
}

/** A list, or a JSON list in a string; else `undefined`. */
export function asList(value: unknown): unknown[] | undefined {
  if (Array.isArray(value)) return value;
  if (typeof value !== 'string' || !value.trimStart().startsWith('[')) return undefined;
  const parsed = parseJson(value);
  return Array.isArray(parsed) ? parsed : undefined;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Number);
}

/** A number, also one that is boxed because it is a whole float (core/data/jsonText.ts); else `undefined`. */
export function numberOf(value: unknown): number | undefined {
  if (value instanceof Number) return value.valueOf();
  return typeof value === 'number' ? value : undefined;
}

/** `undefined` if the text is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return parseJsonText(text);
  } catch {
    return undefined;
  }
}

export function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (isObject(value)) return 'an object';
  if (typeof value === 'string') return 'a text';
  return typeof value === 'boolean' ? 'a boolean' : 'a number';
}
