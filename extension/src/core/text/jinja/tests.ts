// Jinja2's tests (`value is name`), by their names. Used by interpreter.ts and by filters such as select.
import { BoundArguments } from './arguments.js';
import { compareBy, contains } from './operations.js';
import { stringMethods } from './pythonStrings.js';
import {
  Callable,
  Dict,
  DictView,
  isInt,
  isNumber,
  Iterator,
  Loop,
  Markup,
  str,
  typeName,
  Undefined,
  type Args,
  type Value,
} from './pythonValues.js';
import { countText } from './limits.js';
import { TemplateError } from './templateError.js';

export type Test = (value: Value, args: Args) => boolean;

const NONE: Args = { positional: [], keyword: new Map() };

/** A test without arguments. */
function plain(test: (value: Value) => boolean): Test {
  return (value, args) => {
    if (args.positional.length + args.keyword.size > 0) throw new TemplateError('this test takes no arguments');
    return test(value);
  };
}

function comparing(operator: string): Test {
  return (value, args) => compareBy(operator, value, new BoundArguments('test', ['other*'], args).value('other'));
}

function remainder(value: Value, by: bigint): bigint {
  if (value instanceof Undefined) value.fail();
  if (typeof value === 'number' && Number.isInteger(value)) return BigInt(value) % by;
  if (!isInt(value)) throw new TemplateError(`this test requires an integer, not ${typeName(value)}`);
  return BigInt(value) % by;
}

const isIterable = (value: Value) =>
  typeof value === 'string' ||
  Array.isArray(value) ||
  [Dict, DictView, Iterator, Loop, Markup, Undefined].some(kind => value instanceof kind);

const tests: ReadonlyMap<string, Test> = new Map(
  Object.entries<Test>({
    defined: plain(value => !(value instanceof Undefined)),
    undefined: plain(value => value instanceof Undefined),
    none: plain(value => value === null),
    boolean: plain(value => typeof value === 'boolean'),
    true: plain(value => value === true),
    false: plain(value => value === false),
    integer: plain(value => typeof value === 'bigint'),
    float: plain(value => typeof value === 'number'),
    number: plain(isNumber),
    string: plain(value => typeof value === 'string' || value instanceof Markup),
    mapping: plain(value => value instanceof Dict),
    sequence: plain(
      value =>
        typeof value === 'string' ||
        Array.isArray(value) ||
        value instanceof Dict ||
        value instanceof Markup ||
        value instanceof Undefined,
    ),
    iterable: plain(isIterable),
    callable: plain(value => value instanceof Callable || value instanceof Loop || value instanceof Undefined),
    escaped: plain(value => value instanceof Markup),
    lower: plain(value => stringMethods.get('islower')?.(str(value), NONE) === true),
    upper: plain(value => stringMethods.get('isupper')?.(str(value), NONE) === true),
    odd: plain(value => remainder(value, 2n) !== 0n),
    even: plain(value => remainder(value, 2n) === 0n),
    divisibleby: (value, args) => {
      const by = new BoundArguments('divisibleby', ['num*'], args).int('num', 0);
      if (by === 0) throw new TemplateError('integer modulo by zero');
      return remainder(value, BigInt(by)) === 0n;
    },
    sameas: (value, args) => {
      const other = new BoundArguments('sameas', ['other*'], args).value('other');
      return value === other;
    },
    in: (value, args) => contains(new BoundArguments('in', ['seq*'], args).value('seq'), value),
  }),
);

const COMPARISONS: [operator: string, names: string[]][] = [
  ['==', ['eq', 'equalto', '==']],
  ['!=', ['ne', '!=']],
  ['>', ['gt', 'greaterthan', '>']],
  ['>=', ['ge', '>=']],
  ['<', ['lt', 'lessthan', '<']],
  ['<=', ['le', '<=']],
];

/** @throws TemplateError if there is no such test */
export function testNamed(name: string): Test {
  const operator = COMPARISONS.find(([, names]) => names.includes(name))?.[0];
  const test = operator === undefined ? tests.get(name) : comparing(operator);
  if (!test) throw new TemplateError(`no test named '${name}'`);
  return (value, args) => (countText(value), test(value, args));
}
