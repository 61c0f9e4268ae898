// Jinja2's filters (`value | name`), by their names, and Transformers' tojson. Used by interpreter.ts. Filters that no chat
// template needs (urlize, filesizeformat, groupby, ...) don't exist: their name is an error.
import { BoundArguments } from './arguments.js';
import { attributeAlone, binary, itemOf } from './operations.js';
import { formatPercent, toFixed } from './pythonFormat.js';
import { capitalize, centered, replaced, splitLines, strip } from './pythonStrings.js';
import {
  codePoints,
  compare,
  Dict,
  escapeHtml,
  isInt,
  isNumber,
  iterate,
  Iterator,
  length,
  Markup,
  str,
  toJson,
  truth,
  Tuple,
  typeName,
  Undefined,
  type Args,
  type Value,
} from './pythonValues.js';
import { TemplateError } from './templateError.js';
import { testNamed } from './tests.js';
import { charactersOf, countItems, countText, padding } from './limits.js';

export type Filter = (value: Value, args: Args) => Value;

/** @throws TemplateError if there is no such filter */
export function filterNamed(name: string): Filter {
  const filter = filters.get(name);
  if (!filter) throw new TemplateError(`no filter named '${name}' is supported in a chat template`);
  return (value, args) => (countText(value), filter(value, args));
}

/** A filter with parameters: those with a `*` are required. */
function taking(parameters: string[], filter: (value: Value, bound: BoundArguments) => Value): Filter {
  return (value, args) => filter(value, new BoundArguments('filter', parameters, args));
}

/** A filter on the value printed as text. */
function onText(filter: (text: string) => Value): Filter {
  return taking([], value => filter(str(value)));
}

const filters: ReadonlyMap<string, Filter> = new Map(
  Object.entries<Filter>({
    abs: taking([], value => (isNumber(value) && Number(value) < 0 ? binary('*', value, -1n) : number(value))),
    attr: taking(['name*'], (value, bound) => attributeAlone(value, bound.text('name'))),
    batch: taking(['linecount*', 'fill_with'], (value, bound) => {
      const size = bound.int('linecount', 1);
      const rows: Value[][] = [];
      let row: Value[] = [];
      for (const item of iterate(value)) {
        if (row.length === size) {
          rows.push(row);
          row = [];
        }
        row.push(item);
      }
      if (row.length === 0) return new Iterator(rows);
      const fill = bound.value('fill_with');
      if (fill !== null) {
        countItems(size);
        while (row.length < size) row.push(fill);
      }
      return new Iterator([...rows, row]);
    }),
    capitalize: onText(capitalize),
    center: taking(['width'], (value, bound) => {
      const text = str(value);
      const width = bound.int('width', 80);
      const [left, right] = centered(Math.max(0, width - codePoints(text)), width);
      return padding(left, ' ') + text + padding(right, ' ');
    }),
    count: taking([], value => BigInt(length(value))),
    length: taking([], value => BigInt(length(value))),
    d: withDefault(),
    default: withDefault(),
    dictsort: taking(['case_sensitive', 'by', 'reverse'], (value, bound) => {
      if (!(value instanceof Dict)) throw new TemplateError(`dictsort requires a dict, not ${typeName(value)}`);
      const by = bound.text('by', 'key');
      if (by !== 'key' && by !== 'value') throw new TemplateError("dictsort: by must be 'key' or 'value'");
      const key = caseKey(bound.flag('case_sensitive'));
      const entries = value.entries();
      const sorted = sortedBy(entries, ([k, v]) => key(by === 'key' ? k : v), bound.flag('reverse'));
      return sorted.map(entry => Tuple.holding(entry));
    }),
    e: taking([], value => (value instanceof Markup ? value : new Markup(escapeHtml(str(value))))),
    escape: taking([], value => (value instanceof Markup ? value : new Markup(escapeHtml(str(value))))),
    first: taking([], value => {
      const item = value instanceof Iterator ? value.takeOne() : iterate(value)[0];
      return item === undefined ? new Undefined('No first item, sequence was empty.') : item;
    }),
    last: taking([], value => {
      if (value instanceof Iterator)
        throw new TemplateError('\'generator\' object is not reversible; add "| list" before');
      const item = iterate(value).at(-1);
      return item === undefined ? new Undefined('No last item, sequence was empty.') : item;
    }),
    float: taking(['default'], (value, bound) => toFloat(value) ?? bound.value('default', 0)),
    int: taking(
      ['default', 'base'],
      (value, bound) => toInt(value, bound.int('base', 10)) ?? bound.value('default', 0n),
    ),
    format: (value, { positional, keyword }) => {
      if (positional.length > 0 && keyword.size > 0) {
        throw new TemplateError("can't handle positional and keyword arguments at the same time");
      }
      return formatPercent(str(value), keyword.size > 0 ? new Dict(keyword) : Tuple.holding(positional));
    },
    indent: taking(['width', 'first', 'blank'], (value, bound) => {
      const width = bound.value('width', 4n);
      const indentation = typeof width === 'string' ? width : padding(bound.int('width', 4), ' ');
      const [first, ...others] = splitLines(`${str(value)}\n`);
      const rest = others.map(line => `\n${line !== '' || bound.flag('blank') ? indentation : ''}${line}`);
      return (bound.flag('first') ? indentation : '') + first + rest.join('');
    }),
    items: taking([], value => {
      if (value instanceof Undefined) return new Iterator([]);
      if (!(value instanceof Dict)) throw new TemplateError('Can only get item pairs from a mapping.');
      return new Iterator(value.entries().map(entry => Tuple.holding(entry)));
    }),
    join: taking(['d', 'attribute'], (value, bound) => {
      const get = getter(bound.value('attribute'));
      return iterate(value)
        .map(item => str(get(item)))
        .join(bound.softText('d'));
    }),
    list: taking([], value => [...iterate(value)]),
    lower: onText(text => text.toLowerCase()),
    upper: onText(text => text.toUpperCase()),
    map: (value, args) => new Iterator(iterate(value).map(mapper(args))),
    max: taking(['case_sensitive', 'attribute'], (value, bound) => extreme(value, bound, 1)),
    min: taking(['case_sensitive', 'attribute'], (value, bound) => extreme(value, bound, -1)),
    reject: (value, args) => selected(value, args, false, false),
    rejectattr: (value, args) => selected(value, args, false, true),
    select: (value, args) => selected(value, args, true, false),
    selectattr: (value, args) => selected(value, args, true, true),
    replace: taking(['old*', 'new*', 'count'], (value, bound) => {
      const count = bound.value('count') === null ? -1 : bound.int('count', -1);
      return replaced(str(value), bound.softText('old'), bound.softText('new'), count);
    }),
    reverse: taking([], value => {
      if (typeof value === 'string') return charactersOf(value).reverse().join('');
      return new Iterator([...iterate(value)].reverse());
    }),
    round: taking(['precision', 'method'], (value, bound) =>
      rounded(value, bound.int('precision', 0), bound.text('method', 'common')),
    ),
    safe: taking([], value => (value instanceof Markup ? value : new Markup(str(value)))),
    slice: taking(['slices*', 'fill_with'], (value, bound) => {
      const items = iterate(value);
      const count = bound.int('slices', 1);
      if (count === 0) throw new TemplateError('integer division or modulo by zero');
      countItems(count);
      const size = Math.floor(items.length / count);
      const larger = items.length % count;
      const fill = bound.value('fill_with');
      const columns = Array.from({ length: count }, (_, i) => {
        const start = i * size + Math.min(i, larger);
        const column = items.slice(start, start + size + (i < larger ? 1 : 0));
        return fill !== null && i >= larger ? [...column, fill] : column;
      });
      return new Iterator(columns);
    }),
    sort: taking(['reverse', 'case_sensitive', 'attribute'], (value, bound) => {
      const attribute = bound.value('attribute');
      const key = caseKey(bound.flag('case_sensitive'));
      const getters = typeof attribute === 'string' ? attribute.split(',').map(getter) : [getter(attribute)];
      return sortedBy(iterate(value), item => Tuple.holding(getters.map(get => key(get(item)))), bound.flag('reverse'));
    }),
    string: taking([], value => (value instanceof Markup ? value : str(value))),
    sum: taking(['attribute', 'start'], (value, bound) => {
      const get = getter(bound.value('attribute'));
      return iterate(value).reduce((sum: Value, item) => binary('+', sum, get(item)), bound.value('start', 0n));
    }),
    title: onText(text =>
      text
        .split(/([-\s({[<]+)/)
        .map(capitalize)
        .join(''),
    ),
    tojson: taking(['ensure_ascii', 'indent', 'separators', 'sort_keys'], (value, bound) => {
      const indent = bound.value('indent');
      const separators = bound.value('separators');
      const [item, key] = separators === null ? [indent === null ? ', ' : ',', ': '] : iterate(separators).map(str);
      return toJson(value, {
        ensureAscii: bound.flag('ensure_ascii'),
        indent: indent === null || typeof indent === 'string' ? indent : padding(bound.int('indent', 0), ' '),
        separators: [item, key],
        sortKeys: bound.flag('sort_keys'),
      });
    }),
    trim: taking(['chars'], (value, bound) =>
      strip(str(value), bound.value('chars') === null ? null : bound.text('chars'), 'strip'),
    ),
    truncate: taking(['length', 'killwords', 'end', 'leeway'], (value, bound) => {
      const end = bound.text('end', '...');
      const limit = bound.int('length', 255);
      const leeway = bound.value('leeway') === null ? 5 : bound.int('leeway', 5);
      if (typeof value !== 'string') throw new TemplateError(`truncate requires a str, not ${typeName(value)}`);
      const chars = charactersOf(value);
      if (limit < codePoints(end)) throw new TemplateError(`expected length >= ${codePoints(end)}, got ${limit}`);
      if (chars.length <= limit + leeway) return value;
      const cut = chars.slice(0, limit - codePoints(end)).join('');
      const words = bound.flag('killwords') || !cut.includes(' ') ? cut : cut.slice(0, cut.lastIndexOf(' '));
      return words + end;
    }),
    unique: taking(['case_sensitive', 'attribute'], (value, bound) => {
      const get = getter(bound.value('attribute'));
      const key = caseKey(bound.flag('case_sensitive'));
      const seen: Dict = new Dict();
      const kept = iterate(value).filter(item => {
        const of = key(get(item));
        const isNew = !seen.has(of);
        seen.set(of, null);
        return isNew;
      });
      return new Iterator(kept);
    }),
    wordcount: onText(text => BigInt(text.match(/[\p{L}\p{N}_]+/gu)?.length ?? 0)),
  }),
);

function number(value: Value): Value {
  if (!isNumber(value)) {
    if (value instanceof Undefined) value.fail();
    throw new TemplateError(`bad operand type for abs(): '${typeName(value)}'`);
  }
  return typeof value === 'boolean' ? BigInt(value) : value;
}

function withDefault(): Filter {
  return taking(['default_value', 'boolean'], (value, bound) => {
    const isUnset = value instanceof Undefined || (bound.flag('boolean') && !truth(value));
    return isUnset ? bound.value('default_value', '') : value;
  });
}

/** Reads `a.b.0` of an item; without an attribute the item itself. */
function getter(attribute: Value, otherwise: Value = null): (item: Value) => Value {
  if (attribute === null) return item => item;
  const parts =
    typeof attribute === 'string'
      ? attribute.split('.').map(part => (/^\d+$/.test(part) ? BigInt(part) : part))
      : [attribute];
  return item => {
    let value = item;
    for (const part of parts) {
      value = itemOf(value, part);
      if (value instanceof Undefined && otherwise !== null) value = otherwise;
    }
    return value;
  };
}

/** Texts compare without case, unless the template wants it. */
function caseKey(caseSensitive: boolean): (value: Value) => Value {
  return value => (typeof value === 'string' && !caseSensitive ? value.toLowerCase() : value);
}

function sortedBy<T>(items: T[], key: (item: T) => Value, reverse: boolean): T[] {
  const keyed = items.map(item => ({ item, key: key(item) }));
  keyed.sort((a, b) => (reverse ? compare(b.key, a.key) : compare(a.key, b.key)));
  return keyed.map(({ item }) => item);
}

function extreme(value: Value, bound: BoundArguments, sign: 1 | -1): Value {
  const items = iterate(value);
  if (items.length === 0) return new Undefined('No aggregated item, sequence was empty.');
  const get = getter(bound.value('attribute'));
  const key = caseKey(bound.flag('case_sensitive'));
  return items.reduce((best, item) => (compare(key(get(item)), key(get(best))) * sign > 0 ? item : best));
}

function mapper({ positional, keyword }: Args): (item: Value) => Value {
  if (positional.length === 0 && keyword.has('attribute')) {
    const bound = new BoundArguments('map', ['attribute', 'default'], { positional, keyword });
    return getter(bound.value('attribute'), bound.value('default'));
  }
  const [name, ...rest] = positional;
  if (typeof name !== 'string') throw new TemplateError('map requires a filter argument');
  const filter = filterNamed(name);
  return item => filter(item, { positional: rest, keyword });
}

function selected(value: Value, args: Args, keep: boolean, byAttribute: boolean): Value {
  if (!truth(value)) return new Iterator([]);
  const positional = [...args.positional];
  if (byAttribute && positional.length === 0) throw new TemplateError('Missing parameter for attribute name');
  const get = byAttribute ? getter(positional.shift() as Value) : (item: Value) => item;
  const [name, ...rest] = positional;
  let test = truth;
  if (name !== undefined) {
    const named = testNamed(str(name));
    test = item => named(item, { positional: rest, keyword: args.keyword });
  }
  return new Iterator(iterate(value).filter(item => test(get(item)) === keep));
}

const FLOAT_TEXT = /^[+-]?(?:\d+(?:_\d+)*(?:\.(?:\d+(?:_\d+)*)?)?|\.\d+(?:_\d+)*)(?:e[+-]?\d+(?:_\d+)*)?$/i;
const SPECIAL_FLOAT = /^([+-]?)(?:inf(?:inity)?|(nan))$/i;

function toFloat(value: Value): number | null {
  if (value instanceof Undefined) value.fail();
  if (isNumber(value)) return Number(value);
  if (typeof value !== 'string') return null;
  const text = strip(value, null, 'strip');
  if (/[^\p{ASCII}\P{Nd}]/u.test(text))
    throw new TemplateError(`the digits of '${text}' are not supported in a chat template`);
  const special = SPECIAL_FLOAT.exec(text);
  if (special) return special[2] ? NaN : special[1] === '-' ? -Infinity : Infinity;
  return FLOAT_TEXT.test(text) ? Number(text.replaceAll('_', '')) : null;
}

function toInt(value: Value, base: number): bigint | null {
  if (isInt(value)) return BigInt(value);
  if (typeof value === 'string') {
    const whole = wholeNumber(strip(value, null, 'strip'), base);
    if (whole !== null) return whole;
  }
  const float = toFloat(value);
  return float === null || !Number.isFinite(float) ? null : BigInt(Math.trunc(float));
}

function wholeNumber(text: string, base: number): bigint | null {
  const prefix = { 2: '0b', 8: '0o', 16: '0x' }[base] ?? '';
  const [, sign, rest] = /^([+-]?)(.*)$/s.exec(text) as RegExpExecArray;
  const digits = rest
    .toLowerCase()
    .replace(new RegExp(`^${prefix}`), '')
    .replace(/(?<=[\da-z])_(?=[\da-z])/g, '');
  if (digits === '' || base < 2 || base > 36) return null;
  // Python reads no more decimal digits; of other bases no chat template has so many.
  if (digits.length > 4300) return null;
  let total = 0n;
  for (const char of digits) {
    const digit = /[\da-z]/.test(char) ? parseInt(char, 36) : NaN;
    if (!(digit < base)) return null;
    total = total * BigInt(base) + BigInt(digit);
  }
  return sign === '-' ? -total : total;
}

function rounded(value: Value, precision: number, method: string): Value {
  if (!['common', 'ceil', 'floor'].includes(method)) throw new TemplateError('method must be common, ceil or floor');
  if (value instanceof Undefined) value.fail();
  if (!isNumber(value)) throw new TemplateError(`type ${typeName(value)} doesn't define __round__ method`);
  if (method === 'common') {
    if (precision < 0) throw new TemplateError('round to a negative precision is not supported in a chat template');
    return isInt(value) ? BigInt(value) : Number.isFinite(value) ? Number(toFixed(value, precision)) : value;
  }
  const scale = 10 ** precision;
  return Math[method as 'ceil' | 'floor'](Number(value) * scale) / scale;
}
