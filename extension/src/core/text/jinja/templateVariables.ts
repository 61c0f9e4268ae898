// The names that a template reads without having set them: what a caller may set beside the conversation, such as enable_thinking or
// date_string. Called by chatTemplate.ts.
import { GLOBALS } from './interpreter.js';
import type { CallArguments, Expression, Macro, Statement, Target } from './syntax.js';

/**
 * In order of the template. A name is left out if a statement before its first use, in the same or an outer block, may have set it,
 * and if it is a macro or one of Jinja's and Transformers' own functions.
 */
export function readNames(template: readonly Statement[]): string[] {
  const found = new Set<string>();
  const macros = template.flatMap(statement => (statement.kind === 'macro' ? [statement.macro.name] : []));
  const names = new Names(new Set([...GLOBALS, ...macros]), null, found);
  names.statements(template);
  return [...found];
}

class Names {
  constructor(
    private readonly known: Set<string>,
    private readonly parent: Names | null,
    private readonly found: Set<string>,
  ) {}

  statements(body: readonly Statement[]): void {
    for (const statement of body) this.statement(statement);
  }

  private inner(names: readonly string[] = []): Names {
    return new Names(new Set(names), this, this.found);
  }

  private has(name: string): boolean {
    return this.known.has(name) || (this.parent?.has(name) ?? false);
  }

  private statement(statement: Statement): void {
    switch (statement.kind) {
      case 'output':
        return this.expression(statement.value);
      case 'if':
        this.expression(statement.test);
        this.statements(statement.then);
        return this.statements(statement.otherwise);
      case 'for': {
        this.expression(statement.items);
        const inner = this.inner(['loop']);
        inner.target(statement.target);
        inner.expression(statement.condition);
        inner.statements(statement.body);
        return this.inner().statements(statement.otherwise);
      }
      case 'set':
        this.expression(statement.value);
        return this.target(statement.target);
      case 'setBlock':
        this.inner().statements(statement.body);
        this.expression(statement.filter);
        return this.target(statement.target);
      case 'with': {
        const inner = this.inner();
        for (const [target, value] of statement.values) {
          this.expression(value);
          inner.target(target);
        }
        return inner.statements(statement.body);
      }
      case 'filterBlock':
        this.inner().statements(statement.body);
        return this.expression(statement.filter);
      case 'macro':
        this.known.add(statement.macro.name);
        return this.macro(statement.macro);
      case 'callBlock':
        this.expression(statement.call);
        return this.macro(statement.caller);
      case 'generation':
        return this.inner().statements(statement.body);
      case 'data':
      case 'break':
      case 'continue':
        return;
    }
  }

  private macro({ parameters, body, implicit }: Macro): void {
    const inner = this.inner([...implicit]);
    for (const { name, defaultValue } of parameters) {
      inner.expression(defaultValue);
      inner.known.add(name);
    }
    inner.statements(body);
  }

  private target(target: Target): void {
    if (target.kind === 'name') this.known.add(target.name);
    else if (target.kind === 'tuple') for (const item of target.items) this.target(item);
    else this.name(target.name);
  }

  private name(name: string): void {
    if (!this.has(name)) this.found.add(name);
  }

  private expression(expression: Expression | null): void {
    if (!expression) return;
    if (expression.kind === 'name') this.name(expression.name);
    for (const part of partsOf(expression)) this.expression(part);
  }
}

function partsOf(expression: Expression): (Expression | null)[] {
  switch (expression.kind) {
    case 'constant':
    case 'name':
      return [];
    case 'tuple':
    case 'list':
    case 'concat':
      return expression.items;
    case 'dict':
      return expression.items.flat();
    case 'conditional':
      return [expression.test, expression.then, expression.otherwise];
    case 'and':
    case 'or':
    case 'binary':
      return [expression.left, expression.right];
    case 'not':
    case 'negative':
    case 'positive':
      return [expression.operand];
    case 'compare':
      return [expression.first, ...expression.rest.map(({ operand }) => operand)];
    case 'attribute':
      return [expression.object];
    case 'item':
      return [expression.object, expression.index];
    case 'slice':
      return [expression.start, expression.stop, expression.step];
    case 'call':
      return [expression.callee, ...argumentsOf(expression.args)];
    case 'filter':
    case 'test':
      return [expression.operand, ...argumentsOf(expression.args)];
  }
}

function argumentsOf({ positional, keyword, spread, keywordSpread }: CallArguments): (Expression | null)[] {
  return [...positional, ...keyword.map(([, value]) => value), spread, keywordSpread];
}
