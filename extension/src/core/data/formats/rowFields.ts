// Reads the fields of a row for the formats in this folder; errors name file, line and field. An optional field that is absent,
// null or (from CSV) an empty string counts as missing; lists may be JSON in a string, as in CSV.
import { InputError } from '../../inputError.js';
import type { ChatMessage, Row, RowSource } from '../example.js';
import { parseJsonText } from '../jsonText.js';
import { chatRole, isCall } from './roles.js';

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

/** Messages as OpenAI writes them. `field` is named in errors. */
export function readMessages(list: unknown[], field: string, source: RowSource): ChatMessage[] {
  if (list.length === 0) throw rowError(source, `"${field}" is empty`);
  return list.map((item, index) => readMessage(item, `${field}[${index}]`, source));
}

function readMessage(item: unknown, where: string, source: RowSource): ChatMessage {
  if (!isObject(item)) throw rowError(source, `${where} must be {"role", "content"}, but is ${kindOf(item)}`);
  // Parquet gives every message the keys of all, null where unset; templates test whether a key exists.
  const message = Object.fromEntries(Object.entries(item).filter(([, value]) => value !== null && value !== undefined));
  if (typeof message.role !== 'string' || message.role === '') throw rowError(source, `${where} has no "role"`);
  const calls = asList(message.tool_calls);
  if (calls) message.tool_calls = calls.map(readToolCall);
  if (message.content === undefined && !calls) throw rowError(source, `${where} has no "content"`);
  const content = readContent(message.content ?? '', where, source);
  const role = chatRole(message.role) ?? message.role;
  const call = isCall(message.role) ? parseJson(content) : undefined;
  if (call === undefined) return { ...message, role, content };
  // One call or several, as ms-swift writes them.
  message.tool_calls = (Array.isArray(call) ? call : [call]).map(item => ({ type: 'function', function: item }));
  return { ...message, role, content: '' };
}

function readContent(content: unknown, where: string, source: RowSource): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) {
    throw rowError(source, `${where}.content must be a text or a list of parts, but is ${kindOf(content)}`);
  }
  return content
    .map(part => {
      if (typeof part === 'string') return part;
      if (isObject(part) && part.type === 'text' && typeof part.text === 'string') return part.text;
      const type = isObject(part) ? JSON.stringify(part.type) : kindOf(part);
      throw rowError(source, `${where}.content has a part that isn't text (${type})`, 'Only text can be trained on.');
    })
    .join('');
}

/** OpenAI writes a call's arguments as JSON in a string; chat templates expect the object. */
function readToolCall(call: unknown): unknown {
  if (!isObject(call) || !isObject(call.function) || typeof call.function.arguments !== 'string') return call;
  const parsed = parseJson(call.function.arguments);
  return parsed === undefined ? call : { ...call, function: { ...call.function, arguments: parsed } };
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
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
  if (typeof value === 'object') return 'an object';
  return `a ${typeof value === 'string' ? 'text' : typeof value === 'bigint' ? 'number' : typeof value}`;
}
