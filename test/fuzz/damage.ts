// Inputs of the fuzzer: a real file or message with some of its bytes, JSON values or words changed, or one made from nothing, as
// fast-check draws them. Input n of a seed is always the same. Pure; used by target.ts.
import * as fc from 'fast-check';

/** What of a value is changed. Positions are shares of it, from 0 to 1. */
interface Edit {
  kind: 'set' | 'flip' | 'fill' | 'number' | 'insert' | 'remove' | 'repeat' | 'cut';
  at: number;
  length: number;
  byte: number;
  word: string;
  json: unknown;
}

export interface Choice {
  /** Of reader and of file. */
  reader: number;
  file: number;
  /** How the file is read for its changes. */
  how: 'bytes' | 'json' | 'text' | 'new';
  edits: Edit[];
}

/** Values that readers of JSON meet rarely. */
const ODD_VALUES: unknown[] = [
  ...[null, true, 0, -1, 0.5, 1e300, 1e-300, 2 ** 31, 2 ** 53, -(2 ** 63)],
  ...['', ' ', '-1', 'null', '(a+)+!', '__proto__', '../../x', 'a'.repeat(3000), '\u0000', '\ud800', '{{ 1/0 }}'],
  ...[[], {}, [null], [[[]]], { type: 1 }, { constructor: null }, { length: 1e9 }],
  nested(3000),
];

/** Words that mean something to one reader or another. */
const WORDS = [
  ...[
    '{',
    '}',
    '[',
    ']',
    '"',
    ',',
    ':',
    '\n',
    '\r\n',
    '\t',
    '\ufeff',
    '\u0000',
    '\\',
    '\\u12',
    '1e999',
    'NaN',
    '-',
    'null',
  ],
  ...[
    '{{',
    '}}',
    '{%',
    '%}',
    '{% for a in range(10) %}',
    '{% endfor %}',
    '{% set x = x ~ x %}',
    "|join('')",
    '**9',
    '[::-1]',
  ],
  ...[
    '{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}',
    ' is defined',
    '.__class__',
    '(a+)+$',
    '<a href="',
    '&#x110000;',
  ],
];

/** Numbers at the ends of types, as sizes and offsets of binary files. */
const NUMBERS = [
  0n,
  1n,
  0x7fn,
  0xffn,
  0x7fffn,
  0xffffn,
  0x7fffffffn,
  0xffffffffn,
  2n ** 53n,
  2n ** 63n - 1n,
  2n ** 64n - 1n,
];

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let i = 0; i < depth; i++) value = i % 2 ? [value] : { a: value };
  return value;
}

// All alike, where fast-check prefers the ends.
const share = fc.noBias(fc.integer({ min: 0, max: 999_999 })).map(millionths => millionths / 1e6);
const edits = fc.array(
  fc.record<Edit>({
    kind: fc.constantFrom('set', 'flip', 'fill', 'number', 'insert', 'remove', 'repeat', 'cut'),
    at: fc.oneof(
      share,
      // Headers and metadata are at the beginning and at the end.
      share.map(x => x * x * x * x),
      share.map(x => 0.999_999 - 0.999_999 * x * x * x * x),
    ),
    length: fc.nat(40),
    byte: fc.nat(255),
    word: fc.oneof(fc.constantFrom(...WORDS), fc.string({ unit: 'binary', maxLength: 8 })),
    json: fc.oneof(fc.constantFrom(...ODD_VALUES), fc.jsonValue({ maxDepth: 2 })),
  }),
  { minLength: 1, maxLength: 5 },
);
const choices = fc.record<Choice>({
  reader: share,
  file: share,
  how: fc.oneof(
    { weight: 6, arbitrary: fc.constant('bytes' as const) },
    { weight: 9, arbitrary: fc.constant('json' as const) },
    { weight: 4, arbitrary: fc.constant('text' as const) },
    { weight: 1, arbitrary: fc.constant('new' as const) },
  ),
  edits,
});

export function choiceOf(seed: number, n: number): Choice {
  return fc.sample(choices, { seed: (Math.imul(seed, 0x9e3779b1) + n) | 0, numRuns: 1 })[0]!;
}

/** The file after the changes. */
export function damaged(original: Buffer, { how, edits }: Choice): Buffer {
  if (how === 'new') return edits[0]!.byte % 2 ? Buffer.from(edits[0]!.word) : textOf(edits[0]!.json);
  if (how === 'text') return Buffer.from(edits.reduce(editText, textIn(original)));
  return (how === 'json' && damagedJson(textIn(original), edits)) || edits.reduce(editBytes, original);
}

const texts = new WeakMap<Buffer, string>();
/** Of a file that is damaged again and again. */
function textIn(original: Buffer): string {
  const text = texts.get(original) ?? original.toString('utf8');
  texts.set(original, text);
  return text;
}

/** Null for text that isn't JSON. A file of lines has one of them changed by each edit. */
function damagedJson(text: string, edits: readonly Edit[]): Buffer | null {
  const whole = parsed(text);
  if (whole) return textOf(edits.reduce((value, edit) => editJson(value, edit), whole.value));
  const lines = text.split('\n').slice(0, 40);
  for (const edit of edits) {
    const n = Math.floor(edit.at * lines.length);
    const line = parsed(lines[n]!);
    if (line) lines[n] = textOf(editJson(line.value, { ...edit, at: (edit.at * 7919) % 1 })).toString();
  }
  return parsed(lines[0]!) ? Buffer.from(lines.join('\n')) : null;
}

function parsed(text: string): { value: unknown } | null {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return null;
  }
}

/** Numbers that JSON doesn't have become null; deep values are written all the same. */
function textOf(value: unknown): Buffer {
  try {
    return Buffer.from(JSON.stringify(value) ?? 'null');
  } catch {
    return Buffer.from('[]');
  }
}

/** A vocabulary has thousands of places, all of one kind. */
const MAX_NAMES = 40;
const MAX_DEPTH = 12;

function editJson(value: unknown, { kind, at, byte, json }: Edit): unknown {
  const top: Record<string, unknown> = { value };
  const places: [Record<string, unknown>, string][] = [];
  const visit = (holder: Record<string, unknown>, key: string, depth: number) => {
    places.push([holder, key]);
    const inner = holder[key];
    if (typeof inner !== 'object' || inner === null || depth > MAX_DEPTH) return;
    for (const name of Object.keys(inner).slice(0, MAX_NAMES)) visit(inner as Record<string, unknown>, name, depth + 1);
  };
  visit(top, 'value', 0);
  const [holder, key] = places[Math.floor(at * places.length)]!;
  const old = holder[key];
  if (kind === 'remove' && holder !== top) delete holder[key];
  else if (kind === 'number' && typeof old === 'number') holder[key] = old * [-1, 0.5, 1000, 2 ** 31, 1e15][byte % 5]!;
  else if (kind === 'repeat') holder[key] = Array.isArray(old) ? [...old, ...old.slice(0, 100)] : [old];
  else if (kind === 'insert' && typeof old === 'object' && old !== null && !Array.isArray(old))
    holder[key] = { ...old, [['type', 'x', 'role', 'model', 'content', '__proto__'][byte % 6]!]: json };
  else if (kind === 'cut' && typeof old === 'string') holder[key] = old.slice(0, byte % (old.length + 1));
  else holder[key] = JSON.parse(JSON.stringify(json));
  return top['value'];
}

function editText(text: string, { kind, at, length, word }: Edit): string {
  const from = Math.floor(at * text.length);
  if (kind === 'cut') return text.slice(0, from);
  if (kind === 'remove') return text.slice(0, from) + text.slice(from + length);
  if (kind === 'repeat')
    return text.slice(0, from + length) + text.slice(from, from + length).repeat(20) + text.slice(from);
  return text.slice(0, from) + word + text.slice(from);
}

function editBytes(bytes: Buffer, { kind, at, length, byte, word }: Edit): Buffer {
  const from = Math.min(bytes.length - 1, Math.floor(at * bytes.length));
  if (from < 0) return Buffer.from(word);
  const until = from + length;
  if (kind === 'cut') return bytes.subarray(0, from);
  if (kind === 'remove') return Buffer.concat([bytes.subarray(0, from), bytes.subarray(until)]);
  if (kind === 'insert') return Buffer.concat([bytes.subarray(0, from), Buffer.from(word), bytes.subarray(from)]);
  if (kind === 'repeat') return Buffer.concat([bytes.subarray(0, until), bytes.subarray(from)]);
  const copy = Buffer.from(bytes);
  if (kind === 'set') copy[from] = byte;
  else if (kind === 'flip') copy[from]! ^= 1 << (byte % 8);
  else if (kind === 'fill') copy.fill(byte % 2 ? 255 : 0, from, Math.min(until, copy.length));
  else {
    const size = [1, 2, 4, 8][byte % 4]!;
    const number = Buffer.alloc(8);
    number.writeBigUInt64LE(NUMBERS[byte % NUMBERS.length]!);
    number.copy(copy, from, 0, size);
  }
  return copy;
}
