// Python's values as templates see them: what they are here, how they are compared, printed and written as JSON. Used by all of
// this folder. None is null, int is bigint, float is number, str is string, list is an array; the rest are classes below.
import { entriesInOrder } from '../../data/jsonText.js';
import { allowText, charactersOf, countSteps, countText } from './limits.js';
import { TemplateError } from './templateError.js';

/**
 * The characters of Python's `str.isspace` and `\s`, for a class of a regular expression. JavaScript's `\s` has U+FEFF in addition
 * and lacks U+001C to U+001F and U+0085.
 */
export const SPACE_CHARACTERS = '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';

export type Value =
  | null
  | boolean
  | bigint
  | number
  | string
  | Value[]
  | Dict
  | DictView
  | Iterator
  | Namespace
  | Loop
  | Callable
  | Markup
  | Undefined;

/** What an unknown name or attribute gives: prints as nothing, is false and empty, and fails at any other use. */
export class Undefined {
  constructor(readonly reason: string) {}

  fail(): never {
    throw new TemplateError(this.reason);
  }
}

export class Tuple extends Array<Value> {
  static override get [Symbol.species](): ArrayConstructor {
    return Array;
  }

  /** `Array`'s constructor takes a single number as a length. */
  static holding(items: Iterable<Value>): Tuple {
    const tuple = new Tuple();
    for (const item of items) tuple.push(item);
    return tuple;
  }
}

/** `range(...)`: a list that prints as its bounds. */
export class Range extends Array<Value> {
  static override get [Symbol.species](): ArrayConstructor {
    return Array;
  }

  static between(start: number, stop: number, step: number): Range {
    const range = new Range();
    for (let i = start; step > 0 ? i < stop : i > stop; i += step) range.push(BigInt(i));
    range.text = `range(${start}, ${stop}${step === 1 ? '' : `, ${step}`})`;
    return range;
  }

  text = '';
}

type DictKey = string | number | symbol | null;

/** A dict; keys that are equal in Python (1, 1.0 and True) are one key. */
export class Dict {
  private readonly items = new Map<DictKey, [Value, Value]>();

  constructor(entries: Iterable<readonly [Value, Value]> = []) {
    for (const [key, value] of entries) this.set(key, value);
  }

  get size(): number {
    return this.items.size;
  }

  get(key: Value): Value | undefined {
    return this.items.get(dictKey(key))?.[1];
  }

  has(key: Value): boolean {
    return this.items.has(dictKey(key));
  }

  set(key: Value, value: Value): void {
    const known = this.items.get(dictKey(key));
    if (known) known[1] = value;
    else this.items.set(dictKey(key), [key, value]);
  }

  keys(): Value[] {
    return Array.from(this.items.values(), item => item[0]);
  }

  values(): Value[] {
    return Array.from(this.items.values(), item => item[1]);
  }

  /** Each entry counts as a step. */
  entries(): [Value, Value][] {
    countSteps(this.items.size);
    return [...this.items.values()];
  }
}

function dictKey(key: Value): DictKey {
  if (typeof key === 'string' || key === null) return key;
  if (typeof key === 'boolean' || typeof key === 'number' || typeof key === 'bigint') return Number(key);
  if (key instanceof Undefined) return Symbol.for('undefined');
  if (key instanceof Tuple) return Symbol.for(key.map(item => String(dictKey(item))).join());
  throw new TemplateError(`unhashable type: '${typeName(key)}'`);
}

/** `dict.keys()`, `.values()` or `.items()`: iterable, has a length, no subscript. */
export class DictView {
  constructor(
    readonly kind: 'dict_keys' | 'dict_values' | 'dict_items',
    readonly dict: Dict,
  ) {}

  items(): Value[] {
    if (this.kind === 'dict_items') return this.dict.entries().map(entry => Tuple.holding(entry));
    return this.kind === 'dict_keys' ? this.dict.keys() : this.dict.values();
  }
}

/** The result of a filter such as map or select: read once, always true, without a length. */
export class Iterator {
  private readonly remaining: IterableIterator<Value>;

  constructor(items: Value[]) {
    this.remaining = items.values();
  }

  take(): Value[] {
    return [...this.remaining];
  }

  takeOne(): Value | undefined {
    return this.remaining.next().value;
  }
}

/** `namespace(...)`: the one kind of object that a template may assign attributes of. */
export class Namespace {
  readonly attributes = new Map<string, Value>();
}

export interface Args {
  positional: Value[];
  keyword: Map<string, Value>;
}

export class Callable {
  constructor(
    readonly name: string,
    readonly call: (args: Args) => Value,
    /** Attributes such as `name` of a macro. */
    readonly attributes: ReadonlyMap<string, Value> = new Map(),
  ) {}
}

/** The variable `loop` of a for loop. */
export class Loop {
  index0 = 0;
  private changing: Value[] | null = null;

  constructor(
    readonly items: Value[],
    readonly depth0: number,
    /** Renders the loop with other items, if it is recursive. */
    readonly recurse: ((items: Value) => Value) | null,
  ) {}

  attribute(name: string): Value | undefined {
    const { index0, items } = this;
    switch (name) {
      case 'index':
        return BigInt(index0 + 1);
      case 'index0':
        return BigInt(index0);
      case 'revindex':
        return BigInt(items.length - index0);
      case 'revindex0':
        return BigInt(items.length - index0 - 1);
      case 'first':
        return index0 === 0;
      case 'last':
        return index0 === items.length - 1;
      case 'length':
        return BigInt(items.length);
      case 'depth':
        return BigInt(this.depth0 + 1);
      case 'depth0':
        return BigInt(this.depth0);
      case 'previtem':
        return index0 > 0 ? items[index0 - 1] : new Undefined('there is no previous item');
      case 'nextitem':
        return index0 + 1 < items.length ? items[index0 + 1] : new Undefined('there is no next item');
      case 'cycle':
        return new Callable('cycle', ({ positional }) => {
          if (positional.length === 0) throw new TemplateError('no items for cycling given');
          return positional[index0 % positional.length];
        });
      case 'changed':
        return new Callable('changed', ({ positional }) => {
          const changed = this.changing === null || !equal(this.changing, positional);
          this.changing = positional;
          return changed;
        });
      default:
        return undefined;
    }
  }
}

/** Text that `safe` or `escape` marked: other text is escaped where it is joined with it. */
export class Markup {
  constructor(readonly text: string) {}
}

export function escapeHtml(text: string): string {
  const replacements: Record<string, string> = { '&': '&amp;', '>': '&gt;', '<': '&lt;', "'": '&#39;', '"': '&#34;' };
  return text.replace(/[&><'"]/g, char => replacements[char]);
}

/**
 * A JSON value as a template's value. Whole numbers that JavaScript has exactly are ints, other numbers floats; a boxed `Number` is a
 * float whatever its value (1.0), a bigint an int. Keys whose value is undefined are left out.
 */
export function fromJson(value: unknown): Value {
  switch (typeof value) {
    case 'string':
      allowText(value.length);
      return value;
    case 'boolean':
    case 'bigint':
      return value;
    case 'number':
      return Number.isSafeInteger(value) && !Object.is(value, -0) ? BigInt(value) : value;
    case 'object':
      if (value === null) return null;
      if (value instanceof Number) return value.valueOf();
      if (Array.isArray(value)) return value.map(fromJson);
      return new Dict(
        entriesInOrder(value)
          .filter(([, item]) => item !== undefined)
          .map(([key, item]) => [key, fromJson(item)] as const),
      );
    default:
      throw new TypeError(`a template can't be given a ${typeof value}`);
  }
}

export function isInt(value: Value): value is bigint | boolean {
  return typeof value === 'bigint' || typeof value === 'boolean';
}

export function isNumber(value: Value): value is bigint | boolean | number {
  return isInt(value) || typeof value === 'number';
}

export function typeName(value: Value): string {
  if (value === null) return 'NoneType';
  if (Array.isArray(value)) return value instanceof Tuple ? 'tuple' : value instanceof Range ? 'range' : 'list';
  if (value instanceof Dict) return 'dict';
  if (value instanceof DictView) return value.kind;
  if (value instanceof Iterator) return 'generator';
  if (value instanceof Callable) return 'function';
  if (typeof value === 'object') return value.constructor.name;
  return { boolean: 'bool', bigint: 'int', number: 'float', string: 'str' }[typeof value as 'string'];
}

export function truth(value: Value): boolean {
  if (value === null || value instanceof Undefined) return false;
  if (Array.isArray(value)) return value.length > 0;
  if (value instanceof Dict) return value.size > 0;
  if (value instanceof DictView) return value.dict.size > 0;
  if (value instanceof Markup) return value.text !== '';
  return Boolean(value) || Number.isNaN(value);
}

/** Items of whatever Python iterates over; strings by code points. Each item counts as a step. */
export function iterate(value: Value): Value[] {
  const items = itemsOf(value);
  countSteps(items.length);
  return items;
}

function itemsOf(value: Value): Value[] {
  if (Array.isArray(value)) return value;
  if (typeof value === 'string') return charactersOf(value);
  if (value instanceof Dict) return value.keys();
  if (value instanceof DictView) return value.items();
  if (value instanceof Iterator) return value.take();
  if (value instanceof Undefined) return [];
  if (value instanceof Loop) throw new TemplateError('iterating over "loop" is not supported');
  throw new TemplateError(`'${typeName(value)}' object is not iterable`);
}

/** `len`, by code points for strings. */
export function length(value: Value): number {
  if (typeof value === 'string') return codePoints(value);
  if (Array.isArray(value)) return value.length;
  if (value instanceof Dict) return value.size;
  if (value instanceof DictView) return value.dict.size;
  if (value instanceof Loop) return value.items.length;
  if (value instanceof Undefined) return 0;
  if (value instanceof Markup) return codePoints(value.text);
  throw new TemplateError(`object of type '${typeName(value)}' has no len()`);
}

export function codePoints(text: string): number {
  let count = text.length;
  for (let i = 0; i + 1 < text.length; i++) {
    if ((text.charCodeAt(i) & 0xfc00) === 0xd800 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) count--;
  }
  return count;
}

/** Python's `==`. */
export function equal(a: Value, b: Value): boolean {
  countSteps(1);
  if (typeof a === 'string' && typeof b === 'string' && a.length === b.length) countText(a);
  if (a === b) return true;
  // JavaScript compares a bigint with a number by value, as Python does.
  if (isNumber(a) && isNumber(b)) return plainNumber(a) == plainNumber(b);
  if (a instanceof Undefined) return b instanceof Undefined;
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.constructor === b.constructor && a.length === b.length && a.every((item, i) => equal(item, b[i]));
  }
  if (a instanceof Dict && b instanceof Dict) {
    return a.size === b.size && a.entries().every(([key, value]) => b.has(key) && equal(value, b.get(key) as Value));
  }
  if (a instanceof Markup || b instanceof Markup) {
    return (a instanceof Markup ? a.text : a) === (b instanceof Markup ? b.text : b);
  }
  return false;
}

function plainNumber(value: bigint | boolean | number): bigint | number {
  return typeof value === 'boolean' ? BigInt(value) : value;
}

/** Negative, zero or positive as `a` sorts before, with or after `b`; NaN where neither holds. */
export function compare(a: Value, b: Value): number {
  countSteps(1);
  if (isNumber(a) && isNumber(b)) {
    const [x, y] = [plainNumber(a), plainNumber(b)];
    return x < y ? -1 : x > y ? 1 : x == y ? 0 : NaN;
  }
  if (typeof a === 'string' && typeof b === 'string') return compareText(a, b);
  if (Array.isArray(a) && Array.isArray(b) && a.constructor === b.constructor) {
    for (let i = 0; i < Math.min(a.length, b.length); i++) if (!equal(a[i], b[i])) return compare(a[i], b[i]);
    return a.length - b.length;
  }
  for (const side of [a, b]) if (side instanceof Undefined) side.fail();
  throw new TemplateError(`'<' not supported between instances of '${typeName(a)}' and '${typeName(b)}'`);
}

/** By code points; JavaScript's order is that of UTF-16, where surrogates sort before U+E000. */
function compareText(a: string, b: string): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (x === y) continue;
    const surrogates = [x, y].map(unit => (unit & 0xf800) === 0xd800);
    return surrogates[0] === surrogates[1] ? x - y : surrogates[0] ? 1 : -1;
  }
  return a.length - b.length;
}

/** Python's `str`: how a template prints a value. */
export function str(value: Value): string {
  if (typeof value === 'string') return value;
  if (value instanceof Markup) return value.text;
  if (value instanceof Undefined) return '';
  return repr(value);
}

export function repr(value: Value): string {
  countSteps(1);
  if (value === null) return 'None';
  switch (typeof value) {
    case 'boolean':
      return value ? 'True' : 'False';
    case 'bigint':
      return String(value);
    case 'number':
      return reprFloat(value);
    case 'string':
      return reprText(value);
  }
  if (value instanceof Tuple) return value.length === 1 ? `(${repr(value[0])},)` : `(${value.map(repr).join(', ')})`;
  if (value instanceof Range) return value.text;
  if (Array.isArray(value)) return `[${value.map(repr).join(', ')}]`;
  if (value instanceof Dict)
    return `{${value
      .entries()
      .map(([key, item]) => `${repr(key)}: ${repr(item)}`)
      .join(', ')}}`;
  if (value instanceof DictView) return `${value.kind}(${repr(value.items())})`;
  if (value instanceof Undefined) return 'Undefined';
  if (value instanceof Namespace) return `<Namespace ${repr(new Dict(value.attributes))}>`;
  if (value instanceof Markup) return `Markup(${reprText(value.text)})`;
  if (value instanceof Loop) return `<LoopContext ${value.index0 + 1}/${value.items.length}>`;
  const hint = value instanceof Iterator ? '; add "| list" or "| join"' : '';
  throw new TemplateError(`a ${typeName(value)} can't be printed${hint}`);
}

/** The shortest digits that give the number again, as in JavaScript, with Python's limits of plain notation. */
export function reprFloat(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0';
  const [mantissa, exponentText] = value.toExponential().split('e');
  const exponent = Number(exponentText);
  if (exponent < -4 || exponent >= 16) {
    const digits = String(Math.abs(exponent)).padStart(2, '0');
    return `${mantissa}e${exponent < 0 ? '-' : '+'}${digits}`;
  }
  if (exponent < 0) {
    const digits = mantissa.replace(/[-.]/g, '');
    return `${value < 0 ? '-' : ''}0.${'0'.repeat(-exponent - 1)}${digits}`;
  }
  const plain = String(value);
  return plain.includes('.') ? plain : `${plain}.0`;
}

const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u;

function reprText(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  let escaped = '';
  for (const char of text) {
    if (char === quote || char === '\\') escaped += `\\${char}`;
    else if (char === '\n') escaped += '\\n';
    else if (char === '\r') escaped += '\\r';
    else if (char === '\t') escaped += '\\t';
    else escaped += UNPRINTABLE.test(char) ? escapeChar(char) : char;
  }
  return `${quote}${escaped}${quote}`;
}

function escapeChar(char: string): string {
  const hex = (char.codePointAt(0) as number).toString(16);
  if (hex.length <= 2) return `\\x${hex.padStart(2, '0')}`;
  return hex.length <= 4 ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
}

export interface JsonOptions {
  ensureAscii: boolean;
  /** Added to each level; null for one line. */
  indent: string | null;
  separators: [item: string, key: string];
  sortKeys: boolean;
}

/** Python's `json.dumps`. */
export function toJson(value: Value, options: JsonOptions, padding = '\n'): string {
  countSteps(1);
  if (value === null) return 'null';
  if (typeof value === 'boolean') return value ? 'true' : 'false';
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'number') return jsonFloat(value);
  if (typeof value === 'string' || value instanceof Markup) return jsonText(str(value), options.ensureAscii);
  if (value instanceof Range || (!Array.isArray(value) && !(value instanceof Dict))) {
    throw new TemplateError(`Object of type ${typeName(value)} is not JSON serializable`);
  }
  const inner = options.indent === null ? padding : padding + options.indent;
  let parts: string[];
  if (value instanceof Dict) {
    const entries = value.entries();
    if (options.sortKeys) entries.sort(([a], [b]) => compare(a, b));
    parts = entries.map(
      ([key, item]) =>
        jsonText(jsonKey(key), options.ensureAscii) + options.separators[1] + toJson(item, options, inner),
    );
  } else {
    parts = value.map(item => toJson(item, options, inner));
  }
  const [open, close] = value instanceof Dict ? '{}' : '[]';
  if (parts.length === 0) return open + close;
  if (options.indent === null) return open + parts.join(options.separators[0]) + close;
  return open + inner + parts.join(options.separators[0] + inner) + padding + close;
}

function jsonFloat(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  return Number.isFinite(value) ? reprFloat(value) : value > 0 ? 'Infinity' : '-Infinity';
}

function jsonKey(key: Value): string {
  if (typeof key === 'string') return key;
  if (key === null) return 'null';
  if (typeof key === 'boolean') return String(key);
  if (typeof key === 'number') return jsonFloat(key);
  if (typeof key === 'bigint') return String(key);
  throw new TemplateError(`keys must be str, int, float, bool or None, not ${typeName(key)}`);
}

function jsonText(text: string, ensureAscii: boolean): string {
  const json = JSON.stringify(text);
  if (!ensureAscii) return json;
  return json.replace(/[\x7f-\uffff]/g, unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
