// The methods of Python's str. Used by operations.ts, filters.ts and tests.ts. Positions and lengths are code points, as in Python.
import { BoundArguments } from './arguments.js';
import { formatBraces } from './pythonFormat.js';
import {
  codePoints,
  iterate,
  SPACE_CHARACTERS,
  Tuple,
  typeName,
  Undefined,
  type Args,
  type Value,
} from './pythonValues.js';
import { TemplateError } from './templateError.js';
import { charactersOf, checkTextLength, countSearch, countSteps, padding } from './limits.js';

const LEADING_SPACE = new RegExp(`^[${SPACE_CHARACTERS}]+`);
const WORDS = new RegExp(`[^${SPACE_CHARACTERS}]+`, 'g');
const LAST_CHARACTER = /.$/su;
const ALL_SPACE = new RegExp(`^[${SPACE_CHARACTERS}]+$`);
const LINE_BREAK_CHARACTERS = '\\n-\\r\\x1c-\\x1e\\x85\\u2028\\u2029';
const LINE_BREAK = new RegExp(`\\r\\n|[${LINE_BREAK_CHARACTERS}]`, 'g');

export type StringMethod = (text: string, args: Args) => Value;

export const stringMethods: ReadonlyMap<string, StringMethod> = new Map(
  Object.entries<StringMethod>({
    upper: text => text.toUpperCase(),
    lower: text => text.toLowerCase(),
    casefold: text => text.toLowerCase().replaceAll('ß', 'ss').replaceAll('ς', 'σ'),
    title,
    capitalize,
    swapcase: text =>
      charactersOf(text)
        .map(char => (char === char.toLowerCase() ? char.toUpperCase() : char.toLowerCase()))
        .join(''),
    strip: (text, args) => stripped('strip', text, args),
    lstrip: (text, args) => stripped('lstrip', text, args),
    rstrip: (text, args) => stripped('rstrip', text, args),
    removeprefix: (text, args) => {
      const prefix = new BoundArguments('removeprefix', ['prefix*'], args).text('prefix');
      return text.startsWith(prefix) ? text.slice(prefix.length) : text;
    },
    removesuffix: (text, args) => {
      const suffix = new BoundArguments('removesuffix', ['suffix*'], args).text('suffix');
      return suffix !== '' && text.endsWith(suffix) ? text.slice(0, -suffix.length) : text;
    },
    split: (text, args) => split('split', text, args),
    rsplit: (text, args) => split('rsplit', text, args),
    splitlines: (text, args) => splitLines(text, new BoundArguments('splitlines', ['keepends'], args).flag('keepends')),
    partition: (text, args) => {
      const sep = separator('partition', text, args);
      const at = text.indexOf(sep);
      return Tuple.holding(at < 0 ? [text, '', ''] : [text.slice(0, at), sep, text.slice(at + sep.length)]);
    },
    rpartition: (text, args) => {
      const sep = separator('rpartition', text, args);
      const at = text.lastIndexOf(sep);
      return Tuple.holding(at < 0 ? ['', '', text] : [text.slice(0, at), sep, text.slice(at + sep.length)]);
    },
    join: (text, args) =>
      iterate(new BoundArguments('join', ['iterable*'], args).value('iterable'))
        .map(item => {
          if (typeof item !== 'string') throw new TemplateError(`join(): expected str, found ${typeName(item)}`);
          return item;
        })
        .join(text),
    replace: (text, args) => {
      const bound = new BoundArguments('replace', ['old*', 'new*', 'count'], args);
      return replaced(text, bound.text('old'), bound.text('new'), bound.int('count', -1));
    },
    startswith: (text, args) => matchesEnd('startswith', text, args),
    endswith: (text, args) => matchesEnd('endswith', text, args),
    find: (text, args) => BigInt(position('find', text, args)),
    rfind: (text, args) => BigInt(position('rfind', text, args)),
    index: (text, args) => BigInt(foundPosition('index', text, args)),
    rindex: (text, args) => BigInt(foundPosition('rindex', text, args)),
    count: (text, args) => {
      const { part, range } = searched('count', text, args);
      return BigInt(part === '' ? codePoints(range) + 1 : range.split(part).length - 1);
    },
    zfill: (text, args) => {
      const width = new BoundArguments('zfill', ['width*'], args).int('width', 0);
      const sign = /^[+-]/.exec(text)?.[0] ?? '';
      return sign + padding(width - codePoints(text), '0') + text.slice(sign.length);
    },
    ljust: (text, args) => justified('ljust', text, args, missing => [0, missing]),
    rjust: (text, args) => justified('rjust', text, args, missing => [missing, 0]),
    center: (text, args) => justified('center', text, args, centered),
    expandtabs: (text, args) => {
      const size = new BoundArguments('expandtabs', ['tabsize'], args).int('tabsize', 8);
      return text
        .split(/(?<=[\n\r])/)
        .map(line =>
          line.split('\t').reduce((done, part) => done + padding(size - (done.length % size || 0), ' ') + part),
        )
        .join('');
    },
    isspace: text => ALL_SPACE.test(text),
    isalpha: text => /^\p{L}+$/u.test(text),
    isdigit: text => /^[\p{Nd}²³¹⁰-⁹₀-₉①-⑨]+$/u.test(text),
    isdecimal: text => /^\p{Nd}+$/u.test(text),
    isnumeric: text => /^\p{N}+$/u.test(text),
    isalnum: text => /^[\p{L}\p{N}]+$/u.test(text),
    isascii: text => !/[^\0-\x7f]/.test(text),
    isupper: text => /\p{Lu}/u.test(text) && !/[\p{Ll}\p{Lt}]/u.test(text),
    islower: text => /\p{Ll}/u.test(text) && !/[\p{Lu}\p{Lt}]/u.test(text),
    istitle: text => /\p{L}/u.test(text) && title(text) === text,
    isidentifier: text => /^[\p{L}\p{Nl}_][\p{L}\p{Nl}\p{Mn}\p{Mc}\p{Nd}\p{Pc}]*$/u.test(text),
    format: formatBraces,
  }),
);

function title(text: string): string {
  return text.replace(/\p{L}+/gu, word => capitalize(word));
}

export function capitalize(text: string): string {
  const [first = ''] = text;
  return first.toUpperCase() + text.slice(first.length).toLowerCase();
}

export function strip(text: string, chars: string | null, side: 'strip' | 'lstrip' | 'rstrip'): string {
  const removed = chars === null ? null : new Set(chars);
  const isRemoved = (char: string) => (removed ? removed.has(char) : LEADING_SPACE.test(char));
  let start = 0;
  let end = text.length;
  if (side !== 'rstrip') {
    for (const char of text) {
      if (!isRemoved(char)) break;
      start += char.length;
    }
  }
  while (side !== 'lstrip' && end > start) {
    const [last] = LAST_CHARACTER.exec(text.slice(Math.max(start, end - 2), end))!;
    if (!isRemoved(last)) break;
    end -= last.length;
  }
  return text.slice(start, end);
}

function stripped(side: 'strip' | 'lstrip' | 'rstrip', text: string, args: Args): string {
  const bound = new BoundArguments(side, ['chars'], args);
  return strip(text, bound.value('chars') === null ? null : bound.text('chars'), side);
}

function separator(name: string, text: string, args: Args): string {
  const sep = new BoundArguments(name, ['sep*'], args).text('sep');
  if (sep === '') throw new TemplateError('empty separator');
  countSearch(text, sep);
  return sep;
}

function split(name: 'split' | 'rsplit', text: string, args: Args): Value {
  const bound = new BoundArguments(name, ['sep', 'maxsplit'], args);
  const limit = bound.int('maxsplit', -1);
  const sep = bound.value('sep') === null ? null : bound.text('sep');
  if (sep === '') throw new TemplateError('empty separator');
  if (sep !== null) {
    countSearch(text, sep);
    const parts = text.split(sep);
    const rest = parts.length - 1 - limit;
    if (limit < 0 || rest <= 0) return parts;
    return name === 'split'
      ? [...parts.slice(0, limit), parts.slice(limit).join(sep)]
      : [parts.slice(0, rest + 1).join(sep), ...parts.slice(rest + 1)];
  }
  countSteps(text.length);
  const words = [...text.matchAll(WORDS)];
  const rest = words.length - limit;
  if (limit < 0 || rest <= 0) return words.map(word => word[0]);
  if (name === 'split') return [...words.slice(0, limit).map(word => word[0]), text.slice(words[limit].index)];
  const last = words[rest - 1];
  return [text.slice(0, last.index + last[0].length), ...words.slice(rest).map(word => word[0])];
}

export function splitLines(text: string, keepEnds = false): string[] {
  const lines: string[] = [];
  let start = 0;
  for (const match of text.matchAll(LINE_BREAK)) {
    const end = match.index + match[0].length;
    lines.push(text.slice(start, keepEnds ? end : match.index));
    start = end;
  }
  if (start < text.length) lines.push(text.slice(start));
  return lines;
}

export function replaced(text: string, old: string, by: string, count: number): string {
  countSearch(text, old);
  // An empty `old` is found before each character and at the end.
  const pieces = old === '' ? ['', ...charactersOf(text), ''] : text.split(old);
  const limit = count < 0 ? pieces.length - 1 : Math.min(count, pieces.length - 1);
  checkTextLength(text.length + limit * by.length);
  return [pieces.slice(0, limit + 1).join(by), ...pieces.slice(limit + 1)].join(old);
}

function matchesEnd(name: 'startswith' | 'endswith', text: string, args: Args): boolean {
  const bound = new BoundArguments(name, ['prefix*', 'start', 'end'], args);
  const range = part(text, bound);
  const wanted = bound.value('prefix');
  const options = wanted instanceof Tuple ? wanted : [wanted];
  return options.some(option => {
    if (option instanceof Undefined) option.fail();
    if (typeof option !== 'string') {
      throw new TemplateError(`${name} first arg must be str or a tuple of str, not ${typeName(wanted)}`);
    }
    return range !== null && (name === 'startswith' ? range.startsWith(option) : range.endsWith(option));
  });
}

/** `text[start:end]` with the arguments of that name; null if it begins after the end of the text. */
function part(text: string, bound: BoundArguments): string | null {
  if (!bound.has('start') && !bound.has('end')) return text;
  const chars = charactersOf(text);
  const at = (name: string, otherwise: number) => {
    const index = bound.value(name) === null ? otherwise : bound.int(name, otherwise);
    return index < 0 ? Math.max(0, index + chars.length) : index;
  };
  const start = at('start', 0);
  return start > chars.length ? null : chars.slice(start, at('end', chars.length)).join('');
}

function searched(name: string, text: string, args: Args): { part: string; range: string; offset: number } {
  const bound = new BoundArguments(name, ['sub*', 'start', 'end'], args);
  const range = part(text, bound) ?? '';
  const start = bound.value('start') === null ? 0 : bound.int('start', 0);
  const offset = start < 0 ? Math.max(0, start + codePoints(text)) : start;
  const sub = bound.text('sub');
  countSearch(range, sub);
  return { part: sub, range, offset };
}

function position(name: string, text: string, args: Args): number {
  const { part: sub, range, offset } = searched(name, text, args);
  const at = name.startsWith('r') ? range.lastIndexOf(sub) : range.indexOf(sub);
  return at < 0 ? -1 : offset + codePoints(range.slice(0, at));
}

function foundPosition(name: string, text: string, args: Args): number {
  const at = position(name, text, args);
  if (at < 0) throw new TemplateError('substring not found');
  return at;
}

function justified(
  name: string,
  text: string,
  args: Args,
  sides: (missing: number, width: number) => [number, number],
): string {
  const bound = new BoundArguments(name, ['width*', 'fillchar'], args);
  const fill = bound.text('fillchar', ' ');
  if (codePoints(fill) !== 1) throw new TemplateError('The fill character must be exactly one character long');
  const width = bound.int('width', 0);
  const [left, right] = sides(Math.max(0, width - codePoints(text)), width);
  return padding(left, fill) + text + padding(right, fill);
}

/** Python puts the odd space on the left if the width is odd. */
export function centered(missing: number, width: number): [number, number] {
  const left = Math.floor(missing / 2) + (missing & width & 1);
  return [left, missing - left];
}
