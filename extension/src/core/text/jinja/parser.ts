// Parses a Jinja template into the tree of syntax.ts, with the grammar and the precedence of Jinja2's parser. Called by
// jinjaTemplate.ts. Tags that load other templates are errors, as are tags that Transformers' environment doesn't have.
import { tokenize, type Token, type TokenKind } from './lexer.js';
import type { CallArguments, Expression, Macro, Parameter, Statement, Target } from './syntax.js';
import { TemplateError } from './templateError.js';

const COMPARISONS = new Set(['==', '!=', '<', '<=', '>', '>=']);
const CONSTANTS = new Map<string, boolean | null>([
  ['true', true],
  ['True', true],
  ['false', false],
  ['False', false],
  ['none', null],
  ['None', null],
]);
/** Names that a macro has without declaring them. */
const IMPLICIT = new Set(['caller', 'kwargs', 'varargs']);
const NO_ARGUMENTS: CallArguments = { positional: [], keyword: [], spread: null, keywordSpread: null };

/** @throws TemplateError with the line of what can't be parsed */
export function parseTemplate(source: string): Statement[] {
  return new Parser(tokenize(source)).template();
}

class Parser {
  private position = 0;
  private loopDepth = 0;
  /** Names of IMPLICIT so far in the macro that is read. */
  private implicit = new Set<string>();

  constructor(private readonly tokens: Token[]) {}

  template(): Statement[] {
    const body = this.statements([]);
    if (this.token.kind !== 'end') this.fail(`unexpected ${describe(this.token)}`);
    return body;
  }

  private get token(): Token {
    return this.tokens[this.position];
  }

  private next(): Token {
    const token = this.token;
    if (token.kind !== 'end') this.position++;
    return token;
  }

  private fail(message: string): never {
    throw new TemplateError(message, this.token.line);
  }

  private is(kind: TokenKind, text?: string): boolean {
    return this.token.kind === kind && (text === undefined || this.token.text === text);
  }

  private skip(kind: TokenKind, text?: string): boolean {
    const matches = this.is(kind, text);
    if (matches) this.next();
    return matches;
  }

  private expect(kind: TokenKind, text?: string): Token {
    if (!this.is(kind, text))
      this.fail(`expected ${text ? `"${text}"` : kindName(kind)}, found ${describe(this.token)}`);
    return this.next();
  }

  private skipOperator(text: string): boolean {
    return this.skip('operator', text);
  }

  private skipName(text: string): boolean {
    return this.skip('name', text);
  }

  /** Statements up to a tag with one of the names `ends`; that tag's begin is not consumed. */
  private statements(ends: string[]): Statement[] {
    const body: Statement[] = [];
    for (;;) {
      const { kind, text, line } = this.token;
      if (kind === 'data') {
        this.next();
        body.push({ kind: 'data', text, line });
      } else if (kind === 'variableBegin') {
        this.next();
        const value = this.tuple(true);
        this.expect('variableEnd');
        body.push({ kind: 'output', value, line });
      } else if (kind === 'blockBegin') {
        const name = this.tokens[this.position + 1];
        if (name.kind === 'name' && ends.includes(name.text)) return body;
        this.next();
        body.push({ ...this.statement(), line });
      } else if (ends.length > 0) {
        this.fail(`expected {% ${ends.join(' %} or {% ')} %}, found ${describe(this.token)}`);
      } else {
        return body;
      }
    }
  }

  /** Statements up to `{% end %}`, from the end of the opening tag on. */
  private body(end: string): Statement[] {
    this.expect('blockEnd');
    const body = this.statements([end]);
    this.endTag(end);
    return body;
  }

  private endTag(end: string): void {
    this.expect('blockBegin');
    this.expect('name', end);
    // Jinja2 takes the name of a macro or block after its end.
    if (end === 'endmacro' && this.is('name')) this.next();
    this.expect('blockEnd');
  }

  private statement(): Statement {
    const { text: name, line } = this.expect('name');
    switch (name) {
      case 'if':
        return this.ifStatement(line);
      case 'for':
        return this.forStatement(line);
      case 'break':
      case 'continue':
        if (this.loopDepth === 0) this.fail(`"${name}" outside a loop`);
        this.expect('blockEnd');
        return { kind: name, line };
      case 'set':
        return this.setStatement(line);
      case 'with': {
        const values: [Target, Expression][] = [];
        while (!this.is('blockEnd')) {
          if (values.length > 0) this.expect('operator', ',');
          const target = this.target(false);
          this.expect('operator', '=');
          values.push([target, this.expression()]);
        }
        return { kind: 'with', values, body: this.body('endwith'), line };
      }
      case 'filter': {
        const filter = this.filters(null, this.filter(null));
        return { kind: 'filterBlock', filter, body: this.detached(() => this.body('endfilter')), line };
      }
      case 'macro': {
        const { text: macro } = this.expect('name');
        return { kind: 'macro', macro: this.macro(macro, this.parameters(), 'endmacro'), line };
      }
      case 'call': {
        const parameters = this.is('operator', '(') ? this.parameters() : [];
        const call = this.expression();
        if (call.kind !== 'call') this.fail('{% call %} requires a call of a macro');
        return { kind: 'callBlock', call, caller: this.macro('caller', parameters, 'endcall'), line };
      }
      case 'generation':
        return { kind: 'generation', body: this.detached(() => this.body('endgeneration')), line };
      default:
        return this.fail(`the tag "${name}" is not supported in a chat template`);
    }
  }

  /** A body that is a function of its own in Jinja2: a loop around it can't be left from inside. */
  private detached(parse: () => Statement[]): Statement[] {
    const depth = this.loopDepth;
    this.loopDepth = 0;
    const body = parse();
    this.loopDepth = depth;
    return body;
  }

  private macro(name: string, parameters: Parameter[], end: string): Macro {
    const outer = this.implicit;
    const implicit = (this.implicit = new Set<string>());
    const body = this.detached(() => this.body(end));
    this.implicit = new Set([...outer, ...implicit]);
    return { name, parameters, body, implicit };
  }

  private ifStatement(line: number): Statement {
    const test = this.tuple(false);
    this.expect('blockEnd');
    const then = this.statements(['elif', 'else', 'endif']);
    this.expect('blockBegin');
    const { text: end, line: endLine } = this.next();
    if (end === 'elif') return { kind: 'if', test, then, otherwise: [this.ifStatement(endLine)], line };
    this.expect('blockEnd');
    let otherwise: Statement[] = [];
    if (end === 'else') {
      otherwise = this.statements(['endif']);
      this.endTag('endif');
    }
    return { kind: 'if', test, then, otherwise, line };
  }

  private forStatement(line: number): Statement {
    const target = this.target(true);
    if (target.kind === 'name' && target.name === 'loop') this.fail('"loop" can\'t be the variable of a loop');
    this.expect('name', 'in');
    const items = this.tuple(false, ['recursive']);
    const condition = this.skipName('if') ? this.expression() : null;
    const recursive = this.skipName('recursive');
    this.expect('blockEnd');
    this.loopDepth++;
    const body = this.statements(['else', 'endfor']);
    this.loopDepth--;
    let otherwise: Statement[] = [];
    if (this.tokens[this.position + 1].text === 'else') {
      this.next();
      this.next();
      this.expect('blockEnd');
      otherwise = this.statements(['endfor']);
    }
    this.endTag('endfor');
    return { kind: 'for', target, items, condition, body, otherwise, recursive, line };
  }

  private setStatement(line: number): Statement {
    const target = this.target(true);
    if (this.skipOperator('=')) {
      const value = this.tuple(true);
      this.expect('blockEnd');
      return { kind: 'set', target, value, line };
    }
    const filter = this.is('operator', '|') ? this.filters(null) : null;
    return { kind: 'setBlock', target, filter, body: this.detached(() => this.body('endset')), line };
  }

  private target(several: boolean): Target {
    const items: Target[] = [];
    for (;;) {
      if (items.length > 0 && (this.is('name', 'in') || this.is('operator', '=') || this.is('operator', ')'))) break;
      items.push(this.singleTarget());
      if (!several || !this.skipOperator(',')) return items.length === 1 ? items[0] : { kind: 'tuple', items };
    }
    return { kind: 'tuple', items };
  }

  private singleTarget(): Target {
    if (this.skipOperator('(')) {
      const inner = this.target(true);
      this.expect('operator', ')');
      return inner;
    }
    const { text: name } = this.expect('name');
    if (CONSTANTS.has(name)) this.fail(`"${name}" can't be assigned to`);
    if (!this.skipOperator('.')) return this.name(name);
    return { kind: 'namespace', name, attribute: this.expect('name').text };
  }

  private name(name: string): { kind: 'name'; name: string } {
    if (IMPLICIT.has(name)) this.implicit.add(name);
    return { kind: 'name', name };
  }

  private parameters(): Parameter[] {
    const parameters: Parameter[] = [];
    this.expect('operator', '(');
    while (!this.skipOperator(')')) {
      if (parameters.length > 0) this.expect('operator', ',');
      const { text: name } = this.expect('name');
      const defaultValue = this.skipOperator('=') ? this.expression() : null;
      if (defaultValue === null && parameters.some(parameter => parameter.defaultValue !== null)) {
        this.fail(`the parameter "${name}" has no default, but one before it has`);
      }
      parameters.push({ name, defaultValue });
    }
    return parameters;
  }

  /** One expression, or several with commas between them as a tuple. */
  private tuple(withConditional: boolean, ends: string[] = [], inParentheses = false): Expression {
    const items: Expression[] = [];
    let isTuple = false;
    for (;;) {
      if (items.length > 0 && !isTuple) break;
      if (this.endsTuple(ends)) break;
      items.push(withConditional ? this.expression() : this.or());
      if (!this.skipOperator(',')) break;
      isTuple = true;
    }
    if (!isTuple && items.length === 1) return items[0];
    if (items.length === 0 && !inParentheses) this.fail(`expected an expression, found ${describe(this.token)}`);
    return { kind: 'tuple', items };
  }

  private endsTuple(ends: string[]): boolean {
    const { kind, text } = this.token;
    if (kind === 'variableEnd' || kind === 'blockEnd') return true;
    return (kind === 'operator' && text === ')') || (kind === 'name' && ends.includes(text));
  }

  private expression(): Expression {
    let value = this.or();
    while (this.skipName('if')) {
      const test = this.or();
      const otherwise = this.skipName('else') ? this.expression() : null;
      value = { kind: 'conditional', test, then: value, otherwise };
    }
    return value;
  }

  private or(): Expression {
    let left = this.and();
    while (this.skipName('or')) left = { kind: 'or', left, right: this.and() };
    return left;
  }

  private and(): Expression {
    let left = this.not();
    while (this.skipName('and')) left = { kind: 'and', left, right: this.not() };
    return left;
  }

  private not(): Expression {
    return this.skipName('not') ? { kind: 'not', operand: this.not() } : this.compare();
  }

  private compare(): Expression {
    const first = this.sum();
    const rest: { operator: string; operand: Expression }[] = [];
    for (;;) {
      let operator: string;
      if (this.token.kind === 'operator' && COMPARISONS.has(this.token.text)) {
        operator = this.next().text;
      } else if (this.skipName('in')) {
        operator = 'in';
      } else if (this.is('name', 'not') && this.tokens[this.position + 1].text === 'in') {
        this.next();
        this.next();
        operator = 'not in';
      } else {
        break;
      }
      rest.push({ operator, operand: this.sum() });
    }
    return rest.length === 0 ? first : { kind: 'compare', first, rest };
  }

  private binary(operators: string[], operand: () => Expression): Expression {
    let left = operand();
    while (this.token.kind === 'operator' && operators.includes(this.token.text)) {
      const operator = this.next().text;
      left = { kind: 'binary', operator, left, right: operand() };
    }
    return left;
  }

  private sum(): Expression {
    return this.binary(['+', '-'], () => this.concat());
  }

  private concat(): Expression {
    const items = [this.product()];
    while (this.skipOperator('~')) items.push(this.product());
    return items.length === 1 ? items[0] : { kind: 'concat', items };
  }

  private product(): Expression {
    return this.binary(['*', '/', '//', '%'], () => this.power());
  }

  private power(): Expression {
    return this.binary(['**'], () => this.unary(true));
  }

  private unary(withFilters: boolean): Expression {
    let value: Expression;
    if (this.skipOperator('-')) value = { kind: 'negative', operand: this.unary(false) };
    else if (this.skipOperator('+')) value = { kind: 'positive', operand: this.unary(false) };
    else value = this.primary();
    value = this.postfix(value);
    return withFilters ? this.filters(value) : value;
  }

  private primary(): Expression {
    const token = this.next();
    switch (token.kind) {
      case 'name': {
        const constant = CONSTANTS.get(token.text);
        return constant === undefined ? this.name(token.text) : { kind: 'constant', value: constant };
      }
      case 'string': {
        let value = token.text;
        while (this.is('string')) value += this.next().text;
        return { kind: 'constant', value };
      }
      case 'integer':
        return { kind: 'constant', value: BigInt(token.text.replaceAll('_', '')) };
      case 'float':
        return { kind: 'constant', value: Number(token.text.replaceAll('_', '')) };
      case 'operator':
        if (token.text === '(') {
          const value = this.tuple(true, [], true);
          this.expect('operator', ')');
          return value;
        }
        if (token.text === '[') return { kind: 'list', items: this.listItems() };
        if (token.text === '{') return { kind: 'dict', items: this.dictItems() };
    }
    throw new TemplateError(`unexpected ${describe(token)}`, token.line);
  }

  private listItems(): Expression[] {
    const items: Expression[] = [];
    while (!this.skipOperator(']')) {
      if (items.length > 0) this.expect('operator', ',');
      if (this.skipOperator(']')) break;
      items.push(this.expression());
    }
    return items;
  }

  private dictItems(): [Expression, Expression][] {
    const items: [Expression, Expression][] = [];
    while (!this.skipOperator('}')) {
      if (items.length > 0) this.expect('operator', ',');
      if (this.skipOperator('}')) break;
      const key = this.expression();
      this.expect('operator', ':');
      items.push([key, this.expression()]);
    }
    return items;
  }

  private postfix(start: Expression): Expression {
    let value = start;
    for (;;) {
      if (this.skipOperator('.')) {
        const token = this.next();
        if (token.kind === 'name') value = { kind: 'attribute', object: value, name: token.text };
        else if (token.kind === 'integer') {
          value = { kind: 'item', object: value, index: { kind: 'constant', value: BigInt(token.text) } };
        } else throw new TemplateError(`expected a name or number after ".", found ${describe(token)}`, token.line);
      } else if (this.skipOperator('[')) {
        value = { kind: 'item', object: value, index: this.subscript() };
      } else if (this.is('operator', '(')) {
        value = { kind: 'call', callee: value, args: this.callArguments() };
      } else {
        return value;
      }
    }
  }

  private subscript(): Expression {
    const items: Expression[] = [];
    while (!this.skipOperator(']')) {
      if (items.length > 0) this.expect('operator', ',');
      items.push(this.subscribed());
    }
    if (items.length === 0) this.fail('the subscript is empty');
    return items.length === 1 ? items[0] : { kind: 'tuple', items };
  }

  private subscribed(): Expression {
    const atEnd = () => this.is('operator', ':') || this.is('operator', ']') || this.is('operator', ',');
    const part = () => (atEnd() ? null : this.expression());
    const start = part();
    if (!this.skipOperator(':')) return start ?? this.fail('the subscript is empty');
    const stop = part();
    const step = this.skipOperator(':') ? part() : null;
    return { kind: 'slice', start, stop, step };
  }

  private callArguments(): CallArguments {
    this.expect('operator', '(');
    const args: CallArguments = { positional: [], keyword: [], spread: null, keywordSpread: null };
    let first = true;
    while (!this.skipOperator(')')) {
      if (!first) this.expect('operator', ',');
      first = false;
      if (this.skipOperator(')')) break;
      if (this.skipOperator('**')) {
        args.keywordSpread = this.expression();
      } else if (this.skipOperator('*')) {
        args.spread = this.expression();
      } else if (this.is('name') && this.isAssignment(this.position + 1)) {
        const name = this.next().text;
        this.next();
        args.keyword.push([name, this.expression()]);
      } else {
        if (args.keyword.length > 0 || args.spread || args.keywordSpread) {
          this.fail('a positional argument follows a keyword argument');
        }
        args.positional.push(this.expression());
      }
    }
    return args;
  }

  private isAssignment(position: number): boolean {
    const token = this.tokens[position];
    return token.kind === 'operator' && token.text === '=';
  }

  /** Filters and tests after a value, and calls of their results. */
  private filters(start: Expression | null, first?: Expression): Expression {
    let value = first ?? start;
    for (;;) {
      if (this.skipOperator('|')) value = this.filter(value);
      else if (value !== null && this.is('name', 'is')) value = this.test(value);
      else if (value !== null && this.is('operator', '('))
        value = { kind: 'call', callee: value, args: this.callArguments() };
      else return value ?? this.fail('expected a filter');
    }
  }

  private filter(operand: Expression | null): Expression {
    let name = this.expect('name').text;
    while (this.skipOperator('.')) name += `.${this.expect('name').text}`;
    return { kind: 'filter', name, operand, args: this.is('operator', '(') ? this.callArguments() : NO_ARGUMENTS };
  }

  /** `value is name`, `is not name`, `is name(arguments)` or `is name argument`. */
  private test(operand: Expression): Expression {
    this.expect('name', 'is');
    const negated = this.skipName('not');
    const name = this.expect('name').text;
    let args = NO_ARGUMENTS;
    if (this.is('operator', '(')) {
      args = this.callArguments();
    } else if (this.beginsTestArgument()) {
      if (this.is('name', 'is')) this.fail('tests can\'t be chained with "is"');
      args = { ...NO_ARGUMENTS, positional: [this.postfix(this.primary())] };
    }
    const test: Expression = { kind: 'test', name, operand, args };
    return negated ? { kind: 'not', operand: test } : test;
  }

  private beginsTestArgument(): boolean {
    const { kind, text } = this.token;
    if (kind === 'name') return !['else', 'or', 'and', 'if'].includes(text) && text !== 'in' && text !== 'not';
    return kind === 'string' || kind === 'integer' || kind === 'float' || (kind === 'operator' && '[{'.includes(text));
  }
}

function kindName(kind: TokenKind): string {
  return kind === 'blockEnd' ? '"%}"' : kind === 'variableEnd' ? '"}}"' : kind === 'blockBegin' ? '"{%"' : `a ${kind}`;
}

function describe({ kind, text }: Token): string {
  if (kind === 'end') return 'the end of the template';
  if (kind === 'string') return `the string '${text}'`;
  return text === '' ? kindName(kind) : kind === 'data' ? 'data' : `"${text}"`;
}
