// What Python's operators, subscripts and attributes do with the values of a template, within the limits of Jinja2's immutable
// sandbox: nothing that a template was given can be changed. Used by interpreter.ts and the tables of filters and tests.
import { BoundArguments } from './arguments.js';
import {
  Callable,
  compare,
  Dict,
  DictView,
  equal,
  escapeHtml,
  isInt,
  isNumber,
  iterate,
  Loop,
  Markup,
  Namespace,
  Range,
  str,
  Tuple,
  typeName,
  Undefined,
  type Args,
  type Value,
} from './pythonValues.js';
import { formatPercent } from './pythonFormat.js';
import { stringMethods } from './pythonStrings.js';
import { TemplateError } from './templateError.js';
import { charactersOf, checkTextLength, countItems, countSearch, countSteps, countText, padding } from './limits.js';

/** As in Jinja2's sandbox. */
const MAX_RANGE = 100_000;

/** Methods that the sandbox forbids. */
const CHANGING = new Map([
  ['list', new Set(['append', 'clear', 'extend', 'insert', 'pop', 'remove', 'reverse', 'sort'])],
  ['dict', new Set(['clear', 'pop', 'popitem', 'setdefault', 'update'])],
]);

/** Methods of Python that templates could call and that don't exist here. */
const MISSING = new Set(['encode', 'format_map', 'isprintable', 'maketrans', 'translate', 'fromkeys']);

type Method = (args: Args) => Value;

/** `object | attr(name)`: never an item. */
export function attributeAlone(object: Value, name: string): Value {
  const value = pythonAttribute(object, name);
  return value === undefined ? noAttribute(object, name) : value;
}

/** `object.name`: attribute, else item. */
export function attributeOf(object: Value, name: string): Value {
  let value = pythonAttribute(object, name);
  if (value === undefined && object instanceof Dict) value = object.get(name);
  return value === undefined ? noAttribute(object, name) : value;
}

/** `object[index]`: item, else attribute. */
export function itemOf(object: Value, index: Value): Value {
  if (object instanceof Undefined) object.fail();
  refuseMarkup(object);
  let item: Value | undefined;
  if (object instanceof Dict) item = Array.isArray(index) && !(index instanceof Tuple) ? undefined : object.get(index);
  else if (isInt(index) && typeof object === 'string') item = codePointAt(object, Number(index));
  else if (isInt(index) && Array.isArray(object)) item = object.at(Number(index));
  if (item === undefined && typeof index === 'string') item = pythonAttribute(object, index);
  return item === undefined ? noAttribute(object, index) : item;
}

function refuseMarkup(object: Value): void {
  if (object instanceof Markup) throw new TemplateError('parts of a text marked as safe are not supported');
}

function codePointAt(text: string, index: number): string | undefined {
  if (index < 0) return charactersOf(text).at(index);
  countSteps(Math.min(index, text.length));
  let position = 0;
  for (const char of text) if (position++ === index) return char;
  return undefined;
}

function noAttribute(object: Value, name: Value): Undefined {
  const kind = typeName(object);
  const shown = typeof name === 'string' ? `attribute '${name}'` : `element ${str(name)}`;
  return new Undefined(`'${kind} object' has no ${shown}`);
}

function pythonAttribute(object: Value, name: string): Value | undefined {
  if (object instanceof Undefined) object.fail();
  if (object instanceof Namespace) return object.attributes.get(name);
  if (object instanceof Loop) return name === '__call__' ? undefined : object.attribute(name);
  if (object instanceof Callable) return object.attributes.get(name);
  if (object instanceof Markup)
    throw new TemplateError(`methods of a text marked as safe ("${name}") are not supported`);
  if (CHANGING.get(typeName(object))?.has(name)) {
    throw new TemplateError(`'${name}' changes a ${typeName(object)}, which a chat template may not do`);
  }
  const method = methodOf(object, name);
  if (method) return new Callable(name, method);
  if (
    (typeof object === 'string' || object instanceof Dict) &&
    MISSING.has(name) &&
    !(object instanceof Dict && object.has(name))
  ) {
    throw new TemplateError(`the method '${name}' of ${typeName(object)} is not supported in a chat template`);
  }
  return undefined;
}

function methodOf(object: Value, name: string): Method | undefined {
  if (typeof object === 'string') {
    const method = stringMethods.get(name);
    return method && (args => (countText(object), method(object, args)));
  }
  if (object instanceof Dict) return dictMethod(object, name);
  if (Array.isArray(object)) return listMethod(object, name);
  if (isNumber(object)) return numberMethod(object, name);
  return undefined;
}

function dictMethod(dict: Dict, name: string): Method | undefined {
  switch (name) {
    case 'get':
      return args => {
        const bound = new BoundArguments('get', ['key*', 'default'], args);
        const value = dict.get(bound.value('key'));
        return value === undefined ? bound.value('default') : value;
      };
    case 'items':
    case 'keys':
    case 'values':
      return () => new DictView(`dict_${name}`, dict);
    case 'copy':
      return () => new Dict(dict.entries());
    default:
      return undefined;
  }
}

function listMethod(list: Value[], name: string): Method | undefined {
  switch (name) {
    case 'index':
      return args => {
        const value = new BoundArguments('index', ['value*'], args).value('value');
        const at = list.findIndex(item => equal(item, value));
        if (at < 0) throw new TemplateError(`${str(value)} is not in list`);
        return BigInt(at);
      };
    case 'count':
      return args => {
        const value = new BoundArguments('count', ['value*'], args).value('value');
        return BigInt(list.filter(item => equal(item, value)).length);
      };
    case 'copy':
      return list instanceof Tuple ? undefined : () => [...iterate(list)];
    default:
      return undefined;
  }
}

function numberMethod(value: bigint | boolean | number, name: string): Method | undefined {
  switch (name) {
    case 'is_integer':
      return typeof value === 'number' ? () => Number.isInteger(value) : undefined;
    case 'bit_length':
      return typeof value === 'number'
        ? undefined
        : () => BigInt(value ? BigInt(value).toString(2).replace('-', '').length : 0);
    case 'conjugate':
    case 'real':
    case 'imag':
      throw new TemplateError(`the attribute '${name}' of numbers is not supported in a chat template`);
    default:
      return undefined;
  }
}

export function sliceOf(object: Value, start: Value, stop: Value, step: Value): Value {
  if (object instanceof Undefined) object.fail();
  refuseMarkup(object);
  const items = typeof object === 'string' ? charactersOf(object) : Array.isArray(object) ? object : null;
  if (items === null) return noAttribute(object, 'slice');
  const part = (value: Value) => {
    if (value === null) return null;
    if (!isInt(value)) throw new TemplateError('slice indices must be integers or None');
    return Number(value);
  };
  const by = part(step) ?? 1;
  if (by === 0) throw new TemplateError('slice step cannot be zero');
  const [low, high] = by > 0 ? [0, items.length] : [-1, items.length - 1];
  const clamp = (index: number | null, otherwise: number) => {
    if (index === null) return otherwise;
    return index < 0 ? Math.max(index + items.length, low) : Math.min(index, high);
  };
  const from = clamp(part(start), by > 0 ? low : high);
  const to = clamp(part(stop), by > 0 ? high : low);
  countSteps(items.length);
  const picked: Value[] = [];
  for (let i = from; by > 0 ? i < to : i > to; i += by) picked.push(items[i]);
  if (typeof object === 'string') return picked.join('');
  return object instanceof Tuple ? Tuple.holding(picked) : picked;
}

export function contains(container: Value, value: Value): boolean {
  if (typeof container === 'string') {
    if (value instanceof Undefined) value.fail();
    if (typeof value !== 'string') {
      throw new TemplateError(`'in <string>' requires string as left operand, not ${typeName(value)}`);
    }
    countSearch(container, value);
    return container.includes(value);
  }
  if (container instanceof Dict) return container.has(value);
  if (container instanceof DictView && container.kind === 'dict_keys') return container.dict.has(value);
  return iterate(container).some(item => equal(item, value));
}

export function compareBy(operator: string, left: Value, right: Value): boolean {
  switch (operator) {
    case '==':
      return equal(left, right);
    case '!=':
      return !equal(left, right);
    case 'in':
      return contains(right, left);
    case 'not in':
      return !contains(right, left);
    case '<':
      return compare(left, right) < 0;
    case '<=':
      return compare(left, right) <= 0;
    case '>':
      return compare(left, right) > 0;
    default:
      return compare(left, right) >= 0;
  }
}

/** Values joined by `~`, each as it is printed. */
export function concatenated(values: Value[]): string {
  const text = values.map(str).join('');
  checkTextLength(text.length);
  return text;
}

/** Next to a text marked as safe, another one is escaped. */
function markupSum(left: string | Markup, right: string | Markup): Markup {
  return new Markup(concatenated([left, right].map(part => (part instanceof Markup ? part : escapeHtml(part)))));
}

export function binary(operator: string, left: Value, right: Value): Value {
  if (operator === '%' && typeof left === 'string') return formatPercent(left, right);
  if (isNumber(left) && isNumber(right)) return arithmetic(operator, left, right);
  for (const side of [left, right]) if (side instanceof Undefined) side.fail();
  if (operator === '+') {
    if (typeof left === 'string' && typeof right === 'string') return concatenated([left, right]);
    if (isText(left) && isText(right)) return markupSum(left, right);
    if (
      Array.isArray(left) &&
      Array.isArray(right) &&
      left.constructor === right.constructor &&
      !(left instanceof Range)
    ) {
      return sized(left.length + right.length, left) && likewise(left, [...left, ...right]);
    }
  }
  if (operator === '*') {
    const [items, count] = isInt(left) ? [right, left] : [left, right];
    if (isInt(count) && typeof items === 'string') return padding(Number(count), items);
    if (isInt(count) && Array.isArray(items) && !(items instanceof Range)) {
      const times = Math.max(0, Number(count));
      return sized(times * items.length, items) && likewise(items, Array.from({ length: times }, () => items).flat());
    }
  }
  if (operator === '|' && left instanceof Dict && right instanceof Dict)
    return new Dict([...left.entries(), ...right.entries()]);
  throw unsupported(operator, left, right);
}

function isText(value: Value): value is string | Markup {
  return typeof value === 'string' || value instanceof Markup;
}

function sized(count: number, items: Value[]): Value[] {
  countItems(count);
  return items;
}

function likewise(model: Value[], items: Value[]): Value[] {
  return model instanceof Tuple ? Tuple.holding(items) : items;
}

function unsupported(operator: string, left: Value, right: Value): TemplateError {
  const hint = operator === '+' && (isText(left) || isText(right)) ? '; "~" joins a text with any value' : '';
  return new TemplateError(
    `unsupported operand type(s) for ${operator}: '${typeName(left)}' and '${typeName(right)}'${hint}`,
  );
}

function arithmetic(operator: string, left: bigint | boolean | number, right: bigint | boolean | number): Value {
  if (isInt(left) && isInt(right)) return integerArithmetic(operator, BigInt(left), BigInt(right));
  const [a, b] = [Number(left), Number(right)];
  if (b === 0 && ['/', '//', '%'].includes(operator)) throw new TemplateError('division by zero');
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      return a / b;
    case '//':
      return Math.floor(a / b);
    case '%': {
      const rest = a % b;
      return rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest;
    }
    case '**':
      return power(a, b);
    default:
      throw unsupported(operator, left, right);
  }
}

function power(a: number, b: number): number {
  if (a === 0 && b < 0) throw new TemplateError('0.0 cannot be raised to a negative power');
  const result = a ** b;
  if (Number.isNaN(result) && !Number.isNaN(a) && !Number.isNaN(b))
    throw new TemplateError('the power is a complex number');
  if (!Number.isFinite(result) && Number.isFinite(a) && Number.isFinite(b))
    throw new TemplateError('the power is too large');
  return result;
}

const MAX_BITS = 20_000;

function integerArithmetic(operator: string, a: bigint, b: bigint): Value {
  if (b === 0n && ['/', '//', '%'].includes(operator)) throw new TemplateError('division by zero');
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return smallInteger(a * b);
    case '/':
      return Number(a) / Number(b);
    case '//':
      return (a - modulo(a, b)) / b;
    case '%':
      return modulo(a, b);
    case '**': {
      if (b < 0n) return power(Number(a), Number(b));
      if (b * BigInt(a.toString(2).length) > BigInt(MAX_BITS)) throw new TemplateError('the power is too large');
      return a ** b;
    }
    default:
      throw unsupported(operator, a, b);
  }
}

/** Factors are small themselves, so a product can be checked after it was made. */
function smallInteger(product: bigint): bigint {
  if (BigInt.asIntN(MAX_BITS, product) !== product) throw new TemplateError('the product is too large');
  return product;
}

function modulo(a: bigint, b: bigint): bigint {
  const rest = a % b;
  return rest !== 0n && rest < 0n !== b < 0n ? rest + b : rest;
}

export function negative(value: Value): Value {
  if (isInt(value)) return -BigInt(value);
  if (typeof value === 'number') return -value;
  if (value instanceof Undefined) value.fail();
  throw new TemplateError(`bad operand type for unary -: '${typeName(value)}'`);
}

export function positive(value: Value): Value {
  if (isInt(value)) return BigInt(value);
  if (typeof value === 'number') return value;
  if (value instanceof Undefined) value.fail();
  throw new TemplateError(`bad operand type for unary +: '${typeName(value)}'`);
}

/** `range(stop)` or `range(start, stop, step)`. */
export function range(args: Args): Value[] {
  if (args.keyword.size > 0) throw new TemplateError('range() takes no keyword arguments');
  const numbers = args.positional.map(value => {
    if (value instanceof Undefined) value.fail();
    if (!isInt(value))
      throw new TemplateError(`range(): '${typeName(value)}' object cannot be interpreted as an integer`);
    return Number(value);
  });
  if (numbers.length === 0 || numbers.length > 3) throw new TemplateError('range() takes 1 to 3 arguments');
  const [start, stop] = numbers.length === 1 ? [0, numbers[0]] : numbers;
  const step = numbers[2] ?? 1;
  if (step === 0) throw new TemplateError('range() arg 3 must not be zero');
  const count = Math.max(0, Math.ceil((stop - start) / step));
  if (count > MAX_RANGE) throw new TemplateError(`Range too big. The sandbox blocks ranges larger than ${MAX_RANGE}`);
  countSteps(count);
  return Range.between(start, stop, step);
}
