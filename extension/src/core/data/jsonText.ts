// JSON as Python writes and reads it: NaN, Infinity and -Infinity are read as null, integers that a float64 can't hold as bigint,
// floats that are whole (1.0) as boxed numbers, and objects keep the order of their keys. Errors know their position. Used wherever
// the text of a dataset is JSON: rows, the frame of a .json file, lists in CSV cells, arguments of tool calls.

/** Why a text is not JSON, and where. */
export class JsonFault extends Error {
  override readonly name = 'JsonFault';

  constructor(
    /** A phrase such as "a comma before }". */
    readonly found: string,
    /** In UTF-16 units. */
    readonly offset: number,
  ) {
    super(`${found} at position ${offset}`);
  }
}

/** Of a fault in `text`; both from 1. */
export function placeIn(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset);
  return { line: before.split('\n').length, column: offset - before.lastIndexOf('\n') };
}

/**
 * Texts without these are left to JSON.parse, which is faster: long integers, large exponents, halves of surrogate pairs, numbers
 * that may be whole floats or -0, and keys that are integers, which JavaScript moves to the front.
 */
const NEEDS_CARE = new RegExp(
  [/\d{16}|[eE]\+?\d{3}|\\u[dD][89a-fA-F]/, /[:[,]\s*-?\d+(?:\.0+(?!\d)|(?:\.\d+)?[eE])/, /-0(?!\.)|"\d+"\s*:/]
    .map(({ source }) => source)
    .join('|'),
);

/** Keys of an object by their place in its text, where JavaScript has another order. Copied by `{...object}`; nothing else sees it. */
const KEY_ORDER = Symbol('order of keys');

/** The keys and values of an object in the order of its text. */
export function entriesInOrder(value: object): [string, unknown][] {
  const entries = Object.entries(value);
  const order = (value as { [KEY_ORDER]?: ReadonlyMap<string, number> })[KEY_ORDER];
  if (!order) return entries;
  const place = (key: string) => order.get(key) ?? order.size;
  return entries.sort(([a], [b]) => place(a) - place(b));
}

/** Deeper values are refused, since everything that reads them is recursive. */
export const MAX_DEPTH = 500;

/** @throws JsonFault if `text` is not one JSON value */
export function parseJsonText(text: string): unknown {
  if (!NEEDS_CARE.test(text) && !isDeep(text)) {
    try {
      return JSON.parse(text);
    } catch {
      // Read again below: V8 doesn't always say where.
    }
  }
  return new JsonReader(text).document();
}

const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT, QUOTE, BACKSLASH] = [...'[]{}"\\'].map(each =>
  each.charCodeAt(0),
);

/** Whether values are more than {@link MAX_DEPTH} deep in each other. JSON.parse has no limit. Real rows have so few brackets that they are only counted. */
export function isDeep(text: string): boolean {
  let brackets = 0;
  for (const bracket of '[{') {
    for (let at = text.indexOf(bracket); at >= 0 && brackets <= MAX_DEPTH; at = text.indexOf(bracket, at + 1))
      brackets++;
  }
  if (brackets <= MAX_DEPTH) return false;
  let depth = 0;
  let isText = false;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (isText && unit === BACKSLASH) at++;
    else if (unit === QUOTE) isText = !isText;
    else if (!isText && (unit === OPEN_LIST || unit === OPEN_OBJECT)) depth++;
    else if (!isText && (unit === CLOSE_LIST || unit === CLOSE_OBJECT)) depth--;
    if (depth > MAX_DEPTH) return true;
  }
  return false;
}

/** Numbers that JSON.stringify can't write are marked as texts and unmarked afterwards. */
const MARK = '\u0000number ';
const MARKED_NUMBER = /"\\u0000number (-?\d+(?:\.0)?)"/g;

/** JSON.stringify for values with integers as bigint, and with whole floats as boxed numbers, which are written as 2.0. */
export function writeJsonText(value: unknown, indent?: number): string {
  let isMarked = false;
  const text = JSON.stringify(
    value,
    (_, item: unknown) => {
      const isFloat = item instanceof Number && Number.isSafeInteger(item.valueOf());
      if (typeof item !== 'bigint' && !isFloat) return item;
      isMarked = true;
      return `${MARK}${item}${isFloat ? '.0' : ''}`;
    },
    indent,
  );
  return isMarked ? text.replace(MARKED_NUMBER, '$1') : text;
}

const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y;
const WORD = /-?[A-Za-z_]\w*/y;
/** The part of a string without escapes. */
// oxlint-disable-next-line no-control-regex
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const WORDS = new Map<string, unknown>([
  ['true', true],
  ['false', false],
  ['null', null],
  ['NaN', null],
  ['Infinity', null],
  ['-Infinity', null],
]);
const ESCAPES: Readonly<Record<string, string>> = {
  ...{ '"': '"', '\\': '\\', '/': '/' },
  ...{ b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' },
};

class JsonReader {
  private at = 0;

  constructor(private readonly text: string) {}

  document(): unknown {
    this.take(SPACE);
    if (this.at === this.text.length) throw this.fault('nothing');
    const value = this.value(0);
    this.take(SPACE);
    if (this.at < this.text.length) throw this.fault(`${this.next()} after the end of the value`);
    return value;
  }

  private value(depth: number): unknown {
    if (depth > MAX_DEPTH) throw this.fault(`more than ${MAX_DEPTH} values in each other`);
    switch (this.text[this.at]) {
      case '{':
        return this.object(depth);
      case '[':
        return this.list(depth);
      case '"':
        return this.string();
      default:
        return this.scalar();
    }
  }

  private object(depth: number): Record<string, unknown> {
    const entries: [string, unknown][] = [];
    this.items('}', () => {
      if (this.text[this.at] !== '"') throw this.fault(`${this.next()} instead of a key in double quotes`);
      const key = this.string();
      this.take(SPACE);
      if (this.text[this.at] !== ':') throw this.fault(`${this.next()} instead of a colon after a key`);
      this.at++;
      this.take(SPACE);
      entries.push([key, this.value(depth + 1)]);
    });
    // Of several values of a key the last one counts, as in Python and in JSON.parse.
    const object = Object.fromEntries(entries);
    if (!entries.some(([key]) => /^\d+$/.test(key))) return object;
    const keys = [...new Set(entries.map(([key]) => key))];
    return { ...object, [KEY_ORDER]: new Map(keys.map((key, place) => [key, place])) };
  }

  private list(depth: number): unknown[] {
    const values: unknown[] = [];
    this.items(']', () => values.push(this.value(depth + 1)));
    return values;
  }

  private items(close: '}' | ']', item: () => void): void {
    this.at++;
    this.take(SPACE);
    if (this.text[this.at] === close) return void this.at++;
    for (;;) {
      item();
      this.take(SPACE);
      if (this.text[this.at] === close) return void this.at++;
      if (this.text[this.at] !== ',') throw this.fault(`${this.next()} instead of a comma or ${close}`);
      const comma = this.at++;
      this.take(SPACE);
      if (this.text[this.at] === close) throw new JsonFault(`a comma before ${close}`, comma);
    }
  }

  private string(): string {
    const start = this.at++;
    let value = '';
    for (;;) {
      value += this.take(PLAIN);
      const unit = this.text[this.at];
      if (unit === '"') {
        this.at++;
        break;
      }
      if (unit === undefined) throw this.fault('a text without a closing quote', start);
      if (unit !== '\\') throw this.fault(`${this.next()} within a text`);
      value += this.escape();
    }
    // A half can't be encoded as UTF-8; both halves may be escaped separately.
    if (/\p{Surrogate}/u.test(value)) throw this.fault('half a surrogate pair (\\ud800 to \\udfff) in a text', start);
    return value;
  }

  private escape(): string {
    const letter = this.text[this.at + 1] ?? '';
    if (letter === 'u') {
      const digits = this.text.slice(this.at + 2, this.at + 6);
      if (!/^[\da-fA-F]{4}$/.test(digits)) throw this.fault('an escape \\u without four hexadecimal digits');
      this.at += 6;
      return String.fromCharCode(parseInt(digits, 16));
    }
    if (!Object.hasOwn(ESCAPES, letter)) throw this.fault(`the unknown escape \\${letter}`);
    this.at += 2;
    return ESCAPES[letter];
  }

  private scalar(): unknown {
    const start = this.at;
    NUMBER.lastIndex = start;
    const number = NUMBER.exec(this.text);
    if (number) {
      this.at += number[0].length;
      const value = Number(number[0]);
      const isInteger = number[1] === undefined && number[2] === undefined;
      if (isInteger) return Number.isSafeInteger(value) ? value + 0 : BigInt(number[0]);
      // Boxed, so that 1.0 is printed as a float.
      if (Number.isInteger(value)) return Object(value) as unknown;
      // JSON.parse would read 1e999 as infinite; Python prints that as Infinity, which is read as null.
      return Number.isFinite(value) ? value : null;
    }
    const word = this.take(WORD);
    if (WORDS.has(word)) return WORDS.get(word);
    this.at = start;
    throw this.fault(`${this.next()} instead of a value`);
  }

  private take(pattern: RegExp): string {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0] ?? '';
    this.at += found.length;
    return found;
  }

  /** What is at the current position, for messages. */
  private next(): string {
    const unit = this.text.codePointAt(this.at);
    if (unit === undefined) return 'the end';
    if (unit === 0x0a || unit === 0x0d) return 'a line break';
    if (unit < 0x20) return `the control character \\u${unit.toString(16).padStart(4, '0')}`;
    const word = /[\w.-]{1,20}/y;
    word.lastIndex = this.at;
    return word.exec(this.text)?.[0] ?? String.fromCodePoint(unit);
  }

  private fault(found: string, offset = this.at): JsonFault {
    return new JsonFault(found, offset);
  }
}
