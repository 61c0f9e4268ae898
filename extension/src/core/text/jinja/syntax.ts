// The syntax tree of a template: parser.ts makes it, interpreter.ts evaluates it. Data only.

export type Expression =
  | { kind: 'constant'; value: null | boolean | bigint | number | string }
  | { kind: 'name'; name: string }
  | { kind: 'tuple' | 'list'; items: Expression[] }
  | { kind: 'dict'; items: [Expression, Expression][] }
  | { kind: 'conditional'; test: Expression; then: Expression; otherwise: Expression | null }
  | { kind: 'and' | 'or'; left: Expression; right: Expression }
  | { kind: 'not' | 'negative' | 'positive'; operand: Expression }
  | { kind: 'compare'; first: Expression; rest: { operator: string; operand: Expression }[] }
  | { kind: 'binary'; operator: string; left: Expression; right: Expression }
  | { kind: 'concat'; items: Expression[] }
  | { kind: 'attribute'; object: Expression; name: string }
  | { kind: 'item'; object: Expression; index: Expression }
  | { kind: 'slice'; start: Expression | null; stop: Expression | null; step: Expression | null }
  | { kind: 'call'; callee: Expression; args: CallArguments }
  | { kind: 'filter'; name: string; operand: Expression | null; args: CallArguments }
  | { kind: 'test'; name: string; operand: Expression; args: CallArguments };

export interface CallArguments {
  positional: Expression[];
  keyword: [string, Expression][];
  /** `*list` and `**dict`. */
  spread: Expression | null;
  keywordSpread: Expression | null;
}

/** What a value is assigned to: a name, `namespace.attribute`, or several of them. */
export type Target =
  | { kind: 'name'; name: string }
  | { kind: 'namespace'; name: string; attribute: string }
  | { kind: 'tuple'; items: Target[] };

export interface Parameter {
  name: string;
  defaultValue: Expression | null;
}

/** A macro, or the block of a call, which is one named `caller`. */
export interface Macro {
  name: string;
  parameters: Parameter[];
  body: Statement[];
  /** Which of `caller`, `kwargs` and `varargs` the body has: only those exist in it. */
  implicit: ReadonlySet<string>;
}

export type Statement = { line: number } & (
  | { kind: 'data'; text: string }
  | { kind: 'output'; value: Expression }
  | { kind: 'if'; test: Expression; then: Statement[]; otherwise: Statement[] }
  | {
      kind: 'for';
      target: Target;
      items: Expression;
      condition: Expression | null;
      body: Statement[];
      otherwise: Statement[];
      recursive: boolean;
    }
  | { kind: 'break' | 'continue' }
  | { kind: 'set'; target: Target; value: Expression }
  /** `{% set name %}...{% endset %}`; the filters apply to an expression without operand. */
  | { kind: 'setBlock'; target: Target; filter: Expression | null; body: Statement[] }
  | { kind: 'with'; values: [Target, Expression][]; body: Statement[] }
  | { kind: 'filterBlock'; filter: Expression; body: Statement[] }
  | { kind: 'macro'; macro: Macro }
  | { kind: 'callBlock'; call: Expression & { kind: 'call' }; caller: Macro }
  /** Transformers' `{% generation %}`: what the model has to write. */
  | { kind: 'generation'; body: Statement[] }
);
