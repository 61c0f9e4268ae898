// Evaluates a parsed template as Jinja2 does in Transformers' environment: Python's values, scopes of Jinja2, and a sandbox. Called
// by jinjaTemplate.ts. Time and memory are bounded by counts, see limits.ts.
import { BoundArguments } from './arguments.js';
import { filterNamed } from './filters.js';
import {
  attributeOf,
  binary,
  compareBy,
  concatenated,
  itemOf,
  negative,
  positive,
  range,
  sliceOf,
} from './operations.js';
import {
  Callable,
  Dict,
  iterate,
  Loop,
  Markup,
  Namespace,
  repr,
  str,
  truth,
  Tuple,
  typeName,
  Undefined,
  type Args,
  type Value,
} from './pythonValues.js';
import { strftime } from './strftime.js';
import type { CallArguments, Expression, Macro, Statement, Target } from './syntax.js';
import { TemplateError } from './templateError.js';
import { testNamed } from './tests.js';
import { checkOutputLength, countSteps } from './limits.js';

const MAX_DEPTH = 150;

/** Filters that a text marked as safe may go through; others would have to mark their results. */
const MARKUP_FILTERS = new Set(['safe', 'escape', 'e', 'string', 'length', 'count', 'default', 'd', 'tojson']);

/** Jinja's own functions and Transformers' `raise_exception`. */
const FUNCTIONS = { range, dict, namespace, joiner, cycler, raise_exception: raise };

/** The names that every template has. */
export const GLOBALS: readonly string[] = [...Object.keys(FUNCTIONS), 'strftime_now'];

/** Names of one scope; a name that it lacks is looked up in its parent. */
class Scope {
  private readonly names = new Map<string, Value>();

  constructor(private readonly parent: Scope | null) {}

  get(name: string): Value {
    const value = this.names.get(name);
    if (value !== undefined) return value;
    return this.parent ? this.parent.get(name) : new Undefined(`'${name}' is undefined`);
  }

  set(name: string, value: Value): void {
    this.names.set(name, value);
  }
}

type LoopExit = 'break' | 'continue' | null;

/** A part of the rendered text: characters `[start, end)`. */
export interface GenerationSpan {
  start: number;
  end: number;
}

/** What one pass of a loop over messages wrote. */
export interface MessageSpan extends GenerationSpan {
  /** Index of the message. */
  message: number;
}

export class Interpreter {
  /** The text so far; what a block or macro captures is an output of its own. */
  private output: string[] = [];
  private outputLength = 0;
  private isCapturing = false;
  private depth = 0;
  private isInMessage = false;
  readonly generations: GenerationSpan[] = [];
  readonly messages: MessageSpan[] = [];

  /** @param chat the messages, to be recognised in loops */
  constructor(
    private readonly now: () => Date,
    private readonly chat: Value[],
  ) {}

  /** @throws TemplateError with the line of the statement that fails */
  render(template: Statement[], variables: Iterable<[string, Value]>): string {
    const globals = new Scope(null);
    for (const [name, call] of Object.entries(FUNCTIONS)) globals.set(name, new Callable(name, call));
    globals.set('strftime_now', new Callable('strftime_now', args => strftime(this.now(), str(args.positional[0]))));
    const scope = new Scope(globals);
    for (const [name, value] of variables) scope.set(name, value);
    this.run(template, scope);
    return this.output.join('');
  }

  private print(text: string): void {
    this.output.push(text);
    this.outputLength += text.length;
    checkOutputLength(this.outputLength);
  }

  /** What `body` writes, instead of writing it. */
  private capture(body: () => void): string {
    const { output, outputLength, isCapturing } = this;
    if (++this.depth > MAX_DEPTH) throw new TemplateError('blocks and macros are nested more than 150 deep');
    this.output = [];
    this.outputLength = 0;
    this.isCapturing = true;
    body();
    const text = this.output.join('');
    this.depth--;
    Object.assign(this, { output, outputLength, isCapturing });
    return text;
  }

  private run(body: Statement[], scope: Scope): LoopExit {
    for (const statement of body) {
      countSteps(1);
      let exit: LoopExit;
      try {
        exit = this.execute(statement, scope);
      } catch (error) {
        if (error instanceof TemplateError) error.line ??= statement.line;
        throw error;
      }
      if (exit) return exit;
    }
    return null;
  }

  private execute(statement: Statement, scope: Scope): LoopExit {
    switch (statement.kind) {
      case 'data':
        this.print(statement.text);
        return null;
      case 'output':
        this.print(str(this.evaluate(statement.value, scope)));
        return null;
      case 'if':
        return this.run(truth(this.evaluate(statement.test, scope)) ? statement.then : statement.otherwise, scope);
      case 'for':
        this.loop(statement, this.evaluate(statement.items, scope), scope, 0);
        return null;
      case 'break':
      case 'continue':
        return statement.kind;
      case 'set':
        this.assign(statement.target, this.evaluate(statement.value, scope), scope);
        return null;
      case 'setBlock': {
        const text = this.captureBody(statement.body, scope);
        this.assign(statement.target, statement.filter ? this.evaluate(statement.filter, scope, text) : text, scope);
        return null;
      }
      case 'with': {
        const inner = new Scope(scope);
        for (const [target, value] of statement.values) this.assign(target, this.evaluate(value, scope), inner);
        this.run(statement.body, inner);
        return null;
      }
      case 'filterBlock':
        this.print(str(this.evaluate(statement.filter, scope, this.captureBody(statement.body, scope))));
        return null;
      case 'macro':
        scope.set(statement.macro.name, this.macro(statement.macro, scope));
        return null;
      case 'callBlock': {
        const caller = this.macro(statement.caller, scope);
        this.print(str(this.evaluateCall(statement.call, scope, caller)));
        return null;
      }
      case 'generation': {
        const start = this.outputLength;
        const text = this.captureBody(statement.body, scope);
        // Inside a macro or block the place in the whole text isn't known, and Transformers takes none either.
        if (!this.isCapturing) this.generations.push({ start, end: start + text.length });
        this.print(text);
        return null;
      }
    }
  }

  private captureBody(body: Statement[], scope: Scope): string {
    return this.capture(() => this.run(body, new Scope(scope)));
  }

  private loop(statement: Statement & { kind: 'for' }, items: Value, scope: Scope, depth: number): void {
    let chosen = [...iterate(items)];
    if (statement.condition) {
      const { condition } = statement;
      chosen = chosen.filter(item => {
        countSteps(1);
        const inner = new Scope(scope);
        this.assign(statement.target, item, inner);
        return truth(this.evaluate(condition, inner));
      });
    }
    const recurse = (nested: Value) => this.capture(() => this.loop(statement, nested, scope, depth + 1));
    let completed = false;
    const loop = new Loop(chosen, depth, statement.recursive ? recurse : null);
    for (const item of chosen) {
      const inner = new Scope(scope);
      inner.set('loop', loop);
      this.assign(statement.target, item, inner);
      countSteps(1);
      const exit = this.runPass(statement.body, inner, item);
      if (exit === 'break') break;
      completed ||= exit === null;
      loop.index0++;
    }
    // As Jinja2 does: also if every round was left by break or continue.
    if (!completed) this.run(statement.otherwise, new Scope(scope));
  }

  /** One pass of a loop; notes what it writes if `item` is a message, and no pass of an outer loop is one. */
  private runPass(body: Statement[], scope: Scope, item: Value): LoopExit {
    const message = this.isCapturing || this.isInMessage ? -1 : this.chat.indexOf(item);
    if (message < 0) return this.run(body, scope);
    const start = this.outputLength;
    this.isInMessage = true;
    const exit = this.run(body, scope);
    this.isInMessage = false;
    if (this.outputLength > start) this.messages.push({ message, start, end: this.outputLength });
    return exit;
  }

  private assign(target: Target, value: Value, scope: Scope): void {
    if (target.kind === 'name') {
      scope.set(target.name, value);
    } else if (target.kind === 'namespace') {
      const namespaceObject = scope.get(target.name);
      if (!(namespaceObject instanceof Namespace)) {
        throw new TemplateError(`cannot assign attribute on non-namespace object '${target.name}'`);
      }
      setAttribute(namespaceObject, target.attribute, value);
    } else {
      const items = iterate(value);
      if (items.length !== target.items.length) {
        throw new TemplateError(`cannot unpack ${items.length} values into ${target.items.length} names`);
      }
      target.items.forEach((item, i) => this.assign(item, items[i], scope));
    }
  }

  private macro({ name, parameters, body, implicit }: Macro, scope: Scope): Callable {
    const call = ({ positional, keyword }: Args): Value => {
      const inner = new Scope(scope);
      const rest = new Map(keyword);
      parameters.forEach((parameter, i) => {
        if (i < positional.length && rest.has(parameter.name)) {
          throw new TemplateError(`macro '${name}' got multiple values for argument '${parameter.name}'`);
        }
        const given = i < positional.length ? positional[i] : rest.get(parameter.name);
        rest.delete(parameter.name);
        const missing = new Undefined(`parameter '${parameter.name}' was not provided`);
        // Defaults may use the parameters before them.
        const { defaultValue } = parameter;
        const otherwise = () => (defaultValue ? this.evaluate(defaultValue, inner) : missing);
        inner.set(parameter.name, given === undefined ? otherwise() : given);
      });
      if (implicit.has('caller')) {
        inner.set('caller', rest.get('caller') ?? new Undefined('No caller defined'));
        rest.delete('caller');
      }
      if (implicit.has('kwargs')) inner.set('kwargs', new Dict(rest));
      else if (rest.size > 0)
        throw new TemplateError(`macro '${name}' takes no keyword argument '${[...rest.keys()][0]}'`);
      if (implicit.has('varargs')) inner.set('varargs', Tuple.holding(positional.slice(parameters.length)));
      else if (positional.length > parameters.length) {
        throw new TemplateError(`macro '${name}' takes not more than ${parameters.length} argument(s)`);
      }
      return this.capture(() => this.run(body, inner));
    };
    return new Callable(name, call, new Map([['name', name]]));
  }

  /**
   * The value of an expression. What reads a text takes the longer the longer it is, so its length counts as well.
   * @param filtered the operand of a filter that has none: the text of a filter block or set block
   */
  private evaluate(expression: Expression, scope: Scope, filtered: Value = null): Value {
    const value = this.evaluated(expression, scope, filtered);
    countSteps(typeof value === 'string' ? 1 + (value.length >> 6) : 1);
    return value;
  }

  private evaluated(expression: Expression, scope: Scope, filtered: Value): Value {
    switch (expression.kind) {
      case 'constant':
        return expression.value;
      case 'name':
        return scope.get(expression.name);
      case 'list':
        return expression.items.map(item => this.evaluate(item, scope));
      case 'tuple':
        return Tuple.holding(expression.items.map(item => this.evaluate(item, scope)));
      case 'dict':
        return new Dict(
          expression.items.map(([key, value]) => [this.evaluate(key, scope), this.evaluate(value, scope)] as const),
        );
      case 'conditional':
        if (truth(this.evaluate(expression.test, scope))) return this.evaluate(expression.then, scope);
        if (expression.otherwise) return this.evaluate(expression.otherwise, scope);
        return new Undefined('the inline if-expression evaluated to false and no else section was defined.');
      case 'and': {
        const left = this.evaluate(expression.left, scope);
        return truth(left) ? this.evaluate(expression.right, scope) : left;
      }
      case 'or': {
        const left = this.evaluate(expression.left, scope);
        return truth(left) ? left : this.evaluate(expression.right, scope);
      }
      case 'not':
        return !truth(this.evaluate(expression.operand, scope));
      case 'negative':
        return negative(this.evaluate(expression.operand, scope));
      case 'positive':
        return positive(this.evaluate(expression.operand, scope));
      case 'compare':
        return this.comparison(expression, scope);
      case 'binary':
        return binary(
          expression.operator,
          this.evaluate(expression.left, scope),
          this.evaluate(expression.right, scope),
        );
      case 'concat':
        return concatenated(expression.items.map(item => this.evaluate(item, scope)));
      case 'attribute':
        return attributeOf(this.evaluate(expression.object, scope), expression.name);
      case 'item':
        return this.item(expression, scope);
      case 'slice':
        throw new TemplateError('a slice is only possible alone in a subscript');
      case 'call':
        return this.evaluateCall(expression, scope, null);
      case 'filter': {
        const operand = expression.operand ? this.evaluate(expression.operand, scope, filtered) : filtered;
        if (operand instanceof Markup && !MARKUP_FILTERS.has(expression.name)) {
          throw new TemplateError(`the filter '${expression.name}' is not supported on a text marked as safe`);
        }
        return filterNamed(expression.name)(operand, this.args(expression.args, scope));
      }
      case 'test': {
        const operand = this.evaluate(expression.operand, scope);
        if (expression.name === 'filter' || expression.name === 'test') {
          throw new TemplateError(`the test '${expression.name}' is not supported in a chat template`);
        }
        return testNamed(expression.name)(operand, this.args(expression.args, scope));
      }
    }
  }

  /** `a < b < c` is `a < b and b < c`. */
  private comparison(expression: Expression & { kind: 'compare' }, scope: Scope): boolean {
    let left = this.evaluate(expression.first, scope);
    for (const { operator, operand } of expression.rest) {
      const right = this.evaluate(operand, scope);
      if (!compareBy(operator, left, right)) return false;
      left = right;
    }
    return true;
  }

  private item(expression: Expression & { kind: 'item' }, scope: Scope): Value {
    const object = this.evaluate(expression.object, scope);
    const { index } = expression;
    if (index.kind !== 'slice') return itemOf(object, this.evaluate(index, scope));
    const part = (value: Expression | null) => (value ? this.evaluate(value, scope) : null);
    return sliceOf(object, part(index.start), part(index.stop), part(index.step));
  }

  private evaluateCall(expression: Expression & { kind: 'call' }, scope: Scope, caller: Callable | null): Value {
    const callee = this.evaluate(expression.callee, scope);
    const args = this.args(expression.args, scope);
    if (caller) args.keyword.set('caller', caller);
    if (callee instanceof Callable) return callee.call(args);
    if (callee instanceof Loop && callee.recurse) return callee.recurse(args.positional[0]);
    if (callee instanceof Undefined) callee.fail();
    throw new TemplateError(`'${typeName(callee)}' object is not callable`);
  }

  private args(given: CallArguments, scope: Scope): Args {
    const positional = given.positional.map(argument => this.evaluate(argument, scope));
    if (given.spread) positional.push(...iterate(this.evaluate(given.spread, scope)));
    const keyword = new Map<string, Value>();
    const add = (name: string, value: Value) => {
      if (keyword.has(name)) throw new TemplateError(`got multiple values for keyword argument '${name}'`);
      keyword.set(name, value);
    };
    for (const [name, value] of given.keyword) add(name, this.evaluate(value, scope));
    if (given.keywordSpread) {
      const more = this.evaluate(given.keywordSpread, scope);
      if (!(more instanceof Dict))
        throw new TemplateError(`argument after ** must be a mapping, not ${typeName(more)}`);
      for (const [name, value] of more.entries()) add(str(name), value);
    }
    return { positional, keyword };
  }
}

function dict({ positional, keyword }: Args): Dict {
  if (positional.length > 1) throw new TemplateError(`dict expected at most 1 argument, got ${positional.length}`);
  const [source] = positional;
  const made = new Dict(
    source instanceof Dict ? source.entries() : source === undefined ? [] : iterate(source).map(pair),
  );
  for (const [name, value] of keyword) made.set(name, value);
  return made;
}

function pair(item: Value): [Value, Value] {
  const [key, value, ...more] = iterate(item);
  if (value === undefined || more.length > 0)
    throw new TemplateError(`a pair of key and value is required, not ${repr(item)}`);
  return [key, value];
}

function namespace(args: Args): Namespace {
  const made = new Namespace();
  for (const [name, value] of dict(args).entries()) setAttribute(made, str(name), value);
  return made;
}

function setAttribute(target: Namespace, name: string, value: Value): void {
  if (name.startsWith('_'))
    throw new TemplateError(`a namespace can't have the attribute '${name}': names with _ first are reserved`);
  target.attributes.set(name, value);
}

function joiner({ positional, keyword }: Args): Callable {
  const separator = new BoundArguments('joiner', ['sep'], { positional, keyword }).value('sep', ', ');
  let used = false;
  return new Callable('joiner', () => {
    const text = used ? separator : '';
    used = true;
    return text;
  });
}

function cycler({ positional }: Args): Callable {
  if (positional.length === 0) throw new TemplateError('at least one item has to be provided');
  throw new TemplateError('cycler is not supported in a chat template; use loop.cycle');
}

function raise({ positional }: Args): never {
  throw new TemplateError(positional.length === 0 ? '' : str(positional[0]));
}
