// Rewrites what Python's str() and repr() print of a dict as JSON: single quotes, True, False, None, tuples, trailing commas; also
// keys without quotes, as in JavaScript. Numbers keep their text. Used by the repair of rows (rowEdits.ts); pure.
import { MAX_DEPTH } from './jsonText.js';

const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])/y;
const WORD = /-?[A-Za-z_$][\w$]*/y;
const WORDS = new Map([
  ...['true', 'false', 'null', 'NaN', 'Infinity', '-Infinity'].map((word): [string, string] => [word, word]),
  ...Object.entries({ True: 'true', False: 'false', None: 'null', nan: 'NaN', inf: 'Infinity', '-inf': '-Infinity' }),
]);
/** Python's escapes of one letter; `\/` is JSON's. A backslash before any other character stays. */
const ESCAPES: Readonly<Record<string, string>> = {
  ...{ '\\': '\\', "'": "'", '"': '"', '/': '/' },
  ...{ a: '\u0007', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' },
};
const CODE_POINT = /x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([0-7]{1,3})/y;

/** @returns the dict or list as JSON text; null for a text that is neither */
export function jsonOfPython(text: string): string | null {
  try {
    return new PythonReader(text).document();
  } catch (error) {
    if (error instanceof NotPython) return null;
    throw error;
  }
}

class NotPython extends Error {}

class PythonReader {
  private at = 0;

  constructor(private readonly text: string) {}

  document(): string {
    this.take(SPACE);
    if (!['{', '['].includes(this.next)) throw new NotPython();
    const value = this.value(0);
    this.take(SPACE);
    if (this.at < this.text.length) throw new NotPython();
    return value;
  }

  private get next(): string {
    return this.text[this.at] ?? '';
  }

  private value(depth: number): string {
    if (depth > MAX_DEPTH) throw new NotPython();
    const text = this.string();
    if (text !== null) return text;
    const { next } = this;
    if (next === '{') return `{${this.items('}', () => this.entry(depth)).items.join(',')}}`;
    if (next === '[') return `[${this.items(']', () => this.value(depth + 1)).items.join(',')}]`;
    if (next === '(') {
      const { items, endsWithComma } = this.items(')', () => this.value(depth + 1));
      // A value in parentheses is no tuple.
      return items.length === 1 && !endsWithComma ? items[0] : `[${items.join(',')}]`;
    }
    const scalar = this.take(NUMBER) || WORDS.get(this.take(WORD));
    if (scalar === undefined) throw new NotPython();
    return scalar;
  }

  private entry(depth: number): string {
    const key = this.key();
    this.take(SPACE);
    if (this.next !== ':') throw new NotPython();
    this.at++;
    this.take(SPACE);
    return `${key}:${this.value(depth + 1)}`;
  }

  /** Keys that are no texts become those that json.dumps writes for them. */
  private key(): string {
    const text = this.string();
    if (text !== null) return text;
    const word = this.take(NUMBER) || this.take(WORD);
    if (word === '') throw new NotPython();
    return JSON.stringify(WORDS.get(word) ?? word);
  }

  private items(close: string, item: () => string): { items: string[]; endsWithComma: boolean } {
    const items: string[] = [];
    let endsWithComma = false;
    this.at++;
    this.take(SPACE);
    while (this.next !== close) {
      if (items.length > 0 && !endsWithComma) throw new NotPython();
      items.push(item());
      this.take(SPACE);
      endsWithComma = this.next === ',';
      if (endsWithComma) this.at++;
      this.take(SPACE);
    }
    this.at++;
    return { items, endsWithComma };
  }

  /** null if there is no string here. */
  private string(): string | null {
    const start = /u?(['"])/iy;
    start.lastIndex = this.at;
    const quote = start.exec(this.text)?.[1];
    if (quote === undefined) return null;
    this.at = start.lastIndex;
    // Of three quotes the first two would be an empty text.
    if (this.text.startsWith(quote.repeat(2), this.at)) throw new NotPython();
    let value = '';
    while (this.next !== quote) {
      if (this.next === '' || this.next === '\n' || this.next === '\r') throw new NotPython();
      value += this.next === '\\' ? this.escape() : this.text[this.at++];
    }
    this.at++;
    return JSON.stringify(value);
  }

  private escape(): string {
    const letter = this.text[++this.at] ?? '';
    CODE_POINT.lastIndex = this.at;
    const code = CODE_POINT.exec(this.text);
    if (code) {
      const [whole, x, u, long, octal] = code;
      this.at += whole.length;
      const point = octal === undefined ? parseInt(x ?? u ?? long!, 16) : parseInt(octal, 8);
      if (point > 0x10ffff) throw new NotPython();
      return String.fromCodePoint(point);
    }
    // Python refuses an escape of a code point that is cut off.
    if (/[xuUN]/.test(letter)) throw new NotPython();
    this.at++;
    return ESCAPES[letter] ?? `\\${letter}`;
  }

  private take(pattern: RegExp): string {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0] ?? '';
    this.at += found.length;
    return found;
  }
}
