// Python's two ways of formatting, `text % values` and `text.format(...)`, and its rounding. Used by pythonStrings.ts, operations.ts
// and filters.ts.
import {
  codePoints,
  Dict,
  isInt,
  isNumber,
  repr,
  reprFloat,
  str,
  Tuple,
  typeName,
  Undefined,
  type Args,
  type Value,
} from './pythonValues.js';
import { TemplateError } from './templateError.js';
import { charactersOf, padding } from './limits.js';

/** Decimal notation rounded half to even on the exact value, as Python rounds; `toFixed` rounds exact halves up. */
export function toFixed(value: number, digits: number): string {
  const rounded = value.toFixed(digits);
  if (digits > 60 || Math.abs(value) >= 1e21) return rounded;
  const [, rest] = value.toFixed(Math.min(100, digits + 40)).split('.');
  const isHalf = /^50*$/.test(rest.slice(digits));
  if (!isHalf) return rounded;
  const truncated = Math.abs(value)
    .toFixed(Math.min(100, digits + 40))
    .slice(0, digits === 0 ? -41 : -40);
  const isEven = '02468'.includes(truncated[truncated.length - 1]);
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  return isEven ? sign + truncated : sign + rounded.replace('-', '');
}

/** A key without an end goes to the end of the text, so that it is looked for only once. */
const PERCENT = /%(?:\(([^)]*)(?:\)|$))?([#0\- +]*)(\*|\d+)?(?:\.(\*|\d+))?[hlL]?(.)?/gs;

/** `text % values`. */
export function formatPercent(text: string, values: Value): string {
  const list = values instanceof Tuple ? [...values] : [values];
  let used = 0;
  let named = false;
  const next = () => {
    if (used >= list.length) throw new TemplateError('not enough arguments for format string');
    return list[used++];
  };
  const size = (given: string | undefined) =>
    given === '*' ? Number(next()) : given === undefined ? null : Number(given);
  const result = text.replace(
    PERCENT,
    (_, key?: string, flags = '', widthText?: string, digitsText?: string, kind?: string) => {
      if (kind === '%') return '%';
      const width = size(widthText) ?? 0;
      const digits = size(digitsText);
      named ||= key !== undefined;
      if (key !== undefined && !(values instanceof Dict)) throw new TemplateError('format requires a mapping');
      const value = key === undefined ? next() : (values as Dict).get(key);
      if (value === undefined) throw new TemplateError(`format: no key '${key}'`);
      let body = percentBody(kind ?? '', value, digits, flags);
      const isNumeric = 'diuoxXeEfFgG'.includes(kind ?? ' ');
      if (isNumeric && !body.startsWith('-'))
        body = (flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '') + body;
      const missing = width - codePoints(body);
      if (flags.includes('-')) return body + padding(missing, ' ');
      if (!isNumeric || !flags.includes('0')) return padding(missing, ' ') + body;
      const sign = /^[-+ ]/.exec(body)?.[0] ?? '';
      return sign + padding(missing, '0') + body.slice(sign.length);
    },
  );
  const takesNone = values instanceof Dict || (Array.isArray(values) && !(values instanceof Tuple));
  if (used < list.length && !named && !takesNone) {
    throw new TemplateError('not all arguments converted during string formatting');
  }
  return result;
}

function percentBody(kind: string, value: Value, digits: number | null, flags: string): string {
  switch (kind) {
    case 's':
    case 'r': {
      const text = kind === 's' ? str(value) : repr(value);
      return digits === null ? text : charactersOf(text).slice(0, digits).join('');
    }
    case 'c':
      return isInt(value) ? character(Number(value)) : str(value);
    case 'd':
    case 'i':
    case 'u': {
      if (!isNumber(value))
        throw new TemplateError(`%${kind} format: a real number is required, not ${typeName(value)}`);
      const whole = BigInt(typeof value === 'number' ? Math.trunc(value) : value);
      const text = String(whole < 0n ? -whole : whole).padStart(digits ?? 0, '0');
      return whole < 0n ? `-${text}` : text;
    }
    case 'o':
    case 'x':
    case 'X': {
      if (!isInt(value)) throw new TemplateError(`%${kind} format: an integer is required, not ${typeName(value)}`);
      return integerText(BigInt(value), kind, flags.includes('#'));
    }
    case 'e':
    case 'E':
    case 'f':
    case 'F':
    case 'g':
    case 'G':
      if (!isNumber(value)) throw new TemplateError(`must be real number, not ${typeName(value)}`);
      return floatText(Number(value), kind, digits ?? 6);
    default:
      throw new TemplateError(`unsupported format character '${kind}'`);
  }
}

function integerText(value: bigint, kind: string, prefixed: boolean): string {
  const radix = { b: 2, o: 8, x: 16, X: 16 }[kind] ?? 10;
  const digits = (value < 0n ? -value : value).toString(radix);
  const text = (prefixed && radix !== 10 ? `0${kind}` : '') + (kind === 'X' ? digits.toUpperCase() : digits);
  return value < 0n ? `-${text}` : text;
}

function floatText(value: number, kind: string, digits: number): string {
  if (!Number.isFinite(value)) {
    const text = reprFloat(value);
    return kind === kind.toUpperCase() ? text.toUpperCase() : text;
  }
  const exponential = (places: number) => value.toExponential(places).replace(/e([+-])(\d)$/, 'e$10$2');
  let text: string;
  switch (kind.toLowerCase()) {
    case 'f':
      text = toFixed(value, digits);
      break;
    case 'e':
      text = exponential(digits);
      break;
    default: {
      const places = Math.max(digits, 1) - 1;
      const exponent = value === 0 ? 0 : Number(value.toExponential(places).split('e')[1]);
      const plain = exponent >= -4 && exponent <= places;
      text = plain ? toFixed(value, places - exponent) : exponential(places);
      if (text.includes('.')) text = text.replace(/\.?0+(?=$|e)/, '');
    }
  }
  return kind === kind.toUpperCase() ? text.toUpperCase() : text;
}

const FIELD = /\{\{|\}\}|\{([^{}!:]*)(?:!([rsa]))?(?::((?:[^{}]|\{[^{}]*\})*))?\}|[{}]/g;

/** `text.format(...)`, without attributes and items of arguments. */
export function formatBraces(text: string, { positional, keyword }: Args): string {
  let next = 0;
  const valueOf = (name: string): Value => {
    if (/[.[]/.test(name)) throw new TemplateError(`format: "{${name}}" is not supported in a chat template`);
    const index = name === '' ? next++ : /^\d+$/.test(name) ? Number(name) : null;
    const value = index === null ? keyword.get(name) : positional[index];
    if (value === undefined) throw new TemplateError(`format: no argument '${index ?? name}'`);
    return value;
  };
  return text.replace(FIELD, (whole: string, name?: string, conversion?: string, spec = '') => {
    if (whole === '{{' || whole === '}}') return whole[0];
    if (name === undefined) throw new TemplateError(`Single '${whole}' encountered in format string`);
    const value = valueOf(name);
    const filled = (spec as string).replace(/\{([^{}]*)\}/g, (_, inner: string) => str(valueOf(inner)));
    const converted = conversion === undefined ? value : conversion === 's' ? str(value) : repr(value);
    return formatSpec(converted, filled);
  });
}

const SPEC = /^(?:(.)?([<>=^]))?([-+ ])?(#)?(0)?(\d+)?([_,])?(?:\.(\d+))?([bcdeEfFgGnosxX%])?$/su;

/** Python's `format(value, spec)`. */
function formatSpec(value: Value, spec: string): string {
  if (value instanceof Undefined && spec !== '') value.fail();
  if (spec === '') return str(value);
  const match = SPEC.exec(spec);
  const isNumeric = isNumber(value) && !(typeof value === 'boolean' && match?.[9] === undefined);
  if (!match || (!isNumeric && typeof value !== 'string')) {
    throw new TemplateError(`format: the spec '${spec}' is not supported for ${typeName(value)}`);
  }
  const [, fillGiven, alignGiven, sign = '-', alternate, zero, widthText, grouping, digitsText, kind] = match;
  const digits = digitsText === undefined ? null : Number(digitsText);
  const width = Number(widthText ?? 0);
  let body: string;
  if (typeof value === 'string') {
    if (kind !== undefined && kind !== 's')
      throw new TemplateError(`Unknown format code '${kind}' for object of type 'str'`);
    body = digits === null ? value : charactersOf(value).slice(0, digits).join('');
  } else {
    body = numberBody(value as bigint | boolean | number, kind, digits, alternate !== undefined, grouping);
    if (sign !== '-' && !body.startsWith('-')) body = sign + body;
  }
  const fill = fillGiven ?? (zero && !alignGiven ? '0' : ' ');
  const align = alignGiven ?? (typeof value === 'string' ? '<' : zero ? '=' : '>');
  const missing = Math.max(0, width - codePoints(body));
  if (align === '<') return body + padding(missing, fill);
  if (align === '>') return padding(missing, fill) + body;
  if (align === '^') return padding(missing >> 1, fill) + body + padding(missing - (missing >> 1), fill);
  const prefix = /^[-+ ]?/.exec(body)?.[0] ?? '';
  return prefix + padding(missing, fill) + body.slice(prefix.length);
}

const MAX_CODE_POINT = 0x10ffff;

function character(point: number): string {
  if (point < 0 || point > MAX_CODE_POINT) throw new TemplateError('%c arg not in range(0x110000)');
  return String.fromCodePoint(point);
}

function numberBody(
  value: bigint | boolean | number,
  kind: string | undefined,
  digits: number | null,
  alternate: boolean,
  grouping: string | undefined,
): string {
  let body: string;
  if (typeof value !== 'number' && (kind === undefined || 'bcdnoxX'.includes(kind))) {
    body = kind === 'c' ? character(Number(value)) : integerText(BigInt(value), kind ?? 'd', alternate);
  } else if (kind === '%') {
    body = `${toFixed(Number(value) * 100, digits ?? 6)}%`;
  } else if (kind === undefined && digits === null) {
    body = reprFloat(Number(value));
  } else {
    body = floatText(Number(value), kind === undefined || kind === 'n' ? 'g' : kind, digits ?? 6);
    if (kind === undefined && /^-?\d+$/.test(body)) body += '.0';
  }
  if (grouping === undefined) return body;
  const [whole, ...rest] = body.split(/(?=[.e%])/);
  return whole.replace(/\B(?=(?:\d{3})+$)/g, grouping) + rest.join('');
}
