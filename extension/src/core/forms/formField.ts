// From a JSON schema to a form field: its control, the meaning of its text, and its validation messages. Used by the run
// panel's form; it knows no option by name, so that new options need no change here.
import { alternatives, type JsonProperties, type JsonSchema } from './jsonSchema.js';

/** Placeholder of a field that is empty because its value is null. */
export const NOT_SET = 'not set';

export type FieldControl =
  | { kind: 'checkbox' }
  | { kind: 'select'; options: readonly unknown[] }
  /** A line of text; also for numbers, lists and tables. */
  | { kind: 'text'; numeric: boolean }
  /** Texts that may contain commas, one per line. */
  | { kind: 'lines' };

export type ParsedText = { ok: true; value: unknown } | { ok: false; problem: string };

export function controlOf(schema: JsonSchema): FieldControl {
  const options = alternatives(schema).map(fixedValues);
  if (options.every(values => values !== null)) {
    const values = options.flat();
    const yesOrNo = values.length === 2 && values.every(value => typeof value === 'boolean');
    return yesOrNo ? { kind: 'checkbox' } : { kind: 'select', options: values };
  }
  if (schema.type === 'array' && schema.items?.type === 'string' && !schema.items.enum) return { kind: 'lines' };
  const numeric = alternatives(schema).every(({ type }) => type === 'integer' || type === 'number' || type === 'null');
  return { kind: 'text', numeric };
}

/** The values that a schema enumerates; null if it describes a type instead. */
function fixedValues(schema: JsonSchema): unknown[] | null {
  if (schema.enum) return schema.enum;
  if ('const' in schema) return [schema.const];
  if (schema.type === 'boolean') return [true, false];
  return schema.type === 'null' ? [null] : null;
}

/** The other field that a field depends on, and the values for which it applies. */
export interface FieldCondition {
  key: string;
  values: readonly unknown[];
}

const ONLY_FOR = /; for ([\w]+(?:(?:, | and | or )[\w]+)*)$/;

/** When a key applies, from the end of its description: `...; for first_layers and last_layers`. null: always. */
export function conditionOf({ description = '' }: JsonSchema, siblings: JsonProperties): FieldCondition | null {
  const values = ONLY_FOR.exec(description)?.[1]?.split(/, | and | or /);
  if (!values) return null;
  const chooser = Object.entries(siblings).find(([, schema]) => {
    const control = controlOf(schema);
    return control.kind === 'select' && values.every(value => control.options.includes(value));
  });
  return chooser ? { key: chooser[0], values } : null;
}

/**
 * The description of a key, rewritten for a form: null becomes "not set", tables become pairs, other keys become their titles,
 * and the condition is left out, since the field is only shown where it applies.
 */
export function helpOf(schema: JsonSchema, siblings: JsonProperties = {}): string {
  const { description = '' } = schema;
  const always = conditionOf(schema, siblings) ? description.replace(ONLY_FOR, '') : description;
  return always
    .replaceAll(/\bnull\b/g, NOT_SET)
    .replaceAll(/\{[^{}]*\}/g, json => textOf(JSON.parse(json)))
    .replaceAll(/\w+/g, word => {
      // Other keys could be ordinary words.
      const isKey = word.includes('_') || word.length === 1;
      const title = isKey && Object.hasOwn(siblings, word) ? siblings[word]!.title : undefined;
      return title === undefined ? word : `“${title}”`;
    });
}

/** A list of texts as lines; `parseLines` is the reverse. */
export function linesOf(values: unknown): string {
  return Array.isArray(values) ? values.join('\n') : '';
}

export function parseLines(text: string): string[] {
  return text
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '');
}

/** No settings are nested so deeply; what a file of others has may be without end. */
const MAX_DEPTH = 20;

/** A value as a line of text: lists with commas, tables as `key=value`, null as nothing. */
export function textOf(value: unknown): string {
  return textAt(value, 0);
}

function textAt(value: unknown, depth: number): string {
  if (value === null || value === undefined) return '';
  if (typeof value !== 'object') return String(value);
  if (depth === MAX_DEPTH) return '…';
  const text = (each: unknown) => textAt(each, depth + 1);
  if (Array.isArray(value)) return value.map(text).join(', ');
  return Object.entries(value)
    .map(([key, each]) => `${key}=${text(each)}`)
    .join(', ');
}

/** Types that are recognized by their form. Nearly anything is a string, so a list is tried before it only if there are commas. */
const PLAIN = ['null', 'boolean', 'integer', 'number', 'object'];

/** Parses a line of text as the first alternative of the schema that it fits. */
export function parseText(schema: JsonSchema, text: string): ParsedText {
  const trimmed = text.trim();
  const order = trimmed.includes(',') ? [...PLAIN, 'array', 'string'] : [...PLAIN, 'string', 'array'];
  const rank = ({ type }: JsonSchema) => order.indexOf(type ?? 'string');
  const kinds = alternatives(schema).toSorted((a, b) => rank(a) - rank(b));
  let problem: string | null = null;
  for (const kind of kinds) {
    const parsed = parseAs(kind, trimmed);
    if (parsed?.ok) return parsed;
    // The problem with the alternative that the text most resembles is reported.
    if (parsed && !problem) problem = parsed.problem;
  }
  return { ok: false, problem: problem ?? `Must be ${expected(schema)}.` };
}

/** null: the text is not of this type. */
function parseAs(schema: JsonSchema, text: string): ParsedText | null {
  const fixed = fixedValues(schema);
  if (fixed) {
    const found = fixed.findIndex(value => textOf(value) === text);
    return found < 0 ? null : { ok: true, value: fixed[found] };
  }
  switch (schema.type) {
    case 'integer':
    case 'number':
      return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? checked(schema, Number(text)) : null;
    case 'array':
      return parseList(schema, text);
    case 'object':
      return parseTable(schema, text);
    default:
      return text === '' ? null : { ok: true, value: text };
  }
}

function parseList(schema: JsonSchema, text: string): ParsedText | null {
  const filled = text
    .split(',')
    .map(part => part.trim())
    .filter(part => part !== '');
  if (filled.length < (schema.minItems ?? 0)) return null;
  const items = schema.items ?? {};
  return collected(
    filled.map(part => parseText(items, part)),
    values => values,
  );
}

function parseTable(schema: JsonSchema, text: string): ParsedText | null {
  const pairs = text.startsWith('{') ? pairsOfJson(text) : writtenPairs(text);
  if (!pairs) return { ok: false, problem: 'Write key=value, key=value.' };
  const values = typeof schema.additionalProperties === 'object' ? schema.additionalProperties : {};
  return collected(
    pairs.map(([, value]) => parseText(values, value)),
    parsed => Object.fromEntries(parsed.map((value, i) => [pairs[i]![0], value])),
  );
}

function writtenPairs(text: string): [string, string][] | null {
  const parts = text.split(',').map(part => part.trim());
  const pairs = parts.filter(part => part !== '').map(part => /^(.+?)\s*[=:]\s*(.+)$/.exec(part));
  return pairs.includes(null) ? null : pairs.map(pair => [pair![1]!, pair![2]!]);
}

/** A table may also be written as in a run file. */
function pairsOfJson(text: string): [string, string][] | null {
  try {
    return Object.entries(JSON.parse(text) as object).map(([key, value]) => [key, textOf(value)]);
  } catch {
    return null;
  }
}

function collected(parts: ParsedText[], combine: (values: unknown[]) => unknown): ParsedText {
  const wrong = parts.find(part => !part.ok);
  if (wrong) return wrong;
  return { ok: true, value: combine(parts.map(part => (part as { value: unknown }).value)) };
}

function checked(schema: JsonSchema, value: number): ParsedText {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = schema;
  const fits =
    (schema.type !== 'integer' || Number.isInteger(value)) &&
    (minimum === undefined || value >= minimum) &&
    (maximum === undefined || value <= maximum) &&
    (exclusiveMinimum === undefined || value > exclusiveMinimum) &&
    (exclusiveMaximum === undefined || value < exclusiveMaximum);
  return fits ? { ok: true, value } : { ok: false, problem: `Must be ${expected(schema)}.` };
}

/** How values are written where they are read. */
export interface ValueWords {
  null: string;
  fixed(value: unknown): string;
  text(schema: JsonSchema): string;
  list(items: string, schema: JsonSchema): string;
  table(values: string): string;
}

const FORM_WORDS: ValueWords = {
  null: 'empty',
  fixed: textOf,
  text: () => 'text',
  list: () => 'a list separated by commas',
  table: () => 'key=value pairs separated by commas',
};

/** Of a run file. */
export const JSON_WORDS: ValueWords = {
  null: 'null',
  fixed: value => JSON.stringify(value),
  text: ({ minLength }) => (minLength ? 'non-empty text' : 'text'),
  // Of items that may be anything, nothing is said.
  list: (items, { minItems, items: of = {} }) =>
    `a ${minItems ? 'non-empty ' : ''}list${Object.keys(of).length === 0 ? '' : ` of ${severalOf(items)}`}`,
  table: values => (values ? `an object whose values are ${values}` : 'an object'),
};

/** `an object` -> `objects` */
function severalOf(items: string): string {
  return items.replace(/^an? (object|list|whole number|number)\b/, '$1s');
}

/** What a schema accepts, in words: `a whole number from 1 to 4096`. */
export function expected(schema: JsonSchema, words: ValueWords = FORM_WORDS): string {
  const kinds = alternatives(schema);
  if (kinds.length > 1)
    return [...new Set(kinds.map(kind => (kind.type === 'null' ? words.null : expected(kind, words))))].join(' or ');
  const fixed = fixedValues(schema);
  if (fixed) return fixed.map(words.fixed).join(' or ');
  switch (schema.type) {
    case 'integer':
      return `a whole number${range(schema)}`;
    case 'number':
      return `a number${range(schema)}`;
    case 'array':
      return words.list(expected(schema.items ?? {}, words), schema);
    case 'object': {
      const { additionalProperties: values } = schema;
      return words.table(typeof values === 'object' && values.type ? expected(values, words) : '');
    }
    default:
      return schema.pattern && schema.examples ? `text such as ${schema.examples.join(' or ')}` : words.text(schema);
  }
}

function range({ type, minimum, maximum, exclusiveMinimum, exclusiveMaximum }: JsonSchema): string {
  const whole = type === 'integer';
  const lowest = minimum ?? (whole && exclusiveMinimum !== undefined ? exclusiveMinimum + 1 : undefined);
  // zod adds the bounds of safe integers to every integer.
  const largest = maximum !== undefined && Math.abs(maximum) < Number.MAX_SAFE_INTEGER ? maximum : undefined;
  const smallest = lowest !== undefined && Math.abs(lowest) < Number.MAX_SAFE_INTEGER ? lowest : undefined;
  const above = exclusiveMinimum !== undefined && smallest === undefined ? ` above ${exclusiveMinimum}` : '';
  const below = exclusiveMaximum !== undefined ? ` below ${exclusiveMaximum}` : '';
  if (smallest !== undefined && largest !== undefined) return ` from ${smallest} to ${largest}`;
  if (smallest !== undefined) return ` of at least ${smallest}${below && ` and${below}`}`;
  if (largest !== undefined) return `${above && `${above} and`} up to ${largest}`;
  return above && below ? `${above} and${below}` : above || below;
}
