// A form generated from a JSON schema: each key has a field with help, default, range and problem; the important fields
// come first, the rest are collapsed. Values are those of a run file: a key at its default is omitted. Names no option.
import {
  conditionOf,
  controlOf,
  helpOf,
  linesOf,
  NOT_SET,
  parseLines,
  parseText,
  textOf,
  type FieldCondition,
} from '../../../extension/src/core/forms/formField.js';
import type { JsonProperties, JsonSchema } from '../../../extension/src/core/forms/jsonSchema.js';
import { h, icon, setText, uniqueId } from './dom.js';
import { button, checkbox, dropdown, fold, textArea, textField } from './toolkit.js';

export type Values = Readonly<Record<string, unknown>>;

export interface FieldAction {
  icon: string;
  label: string;
  /** The field's new text; null keeps the present one. */
  run(): Promise<string | null>;
}

export interface SchemaFormOptions {
  schema: JsonSchema;
  /** Keys shown above the fold: a number of leading keys, or a list. */
  important: number | readonly string[];
  /** Keys that have a control elsewhere. */
  omit?: readonly string[];
  moreTitle: string;
  actions?: Readonly<Record<string, FieldAction>>;
  onChange(values: Values): void;
}

interface Field {
  element: HTMLElement;
  show(value: unknown): void;
  /** Sets the placeholder; only text fields have one. */
  hint?(text: string): void;
  problem(message: string | null): void;
}

export class SchemaForm {
  readonly element: HTMLElement;
  private readonly fields = new Map<string, Field>();
  /** Of fields that only apply to some values of another field. */
  private readonly conditions = new Map<string, FieldCondition>();
  /** Keys that don't count now, for a reason that the form doesn't know. */
  private without: readonly string[] = [];
  private readonly problems = new Map<string, string>();
  private readonly more: HTMLDetailsElement | null;
  private current: Record<string, unknown> = {};

  constructor(private readonly options: SchemaFormOptions) {
    const { schema, important, omit = [], moreTitle } = options;
    const keys = Object.keys(schema.properties ?? {}).filter(key => !omit.includes(key));
    const first =
      typeof important === 'number' ? keys.slice(0, important) : keys.filter(key => important.includes(key));
    const rest = keys.filter(key => !first.includes(key));
    for (const key of [...first, ...rest]) {
      this.fields.set(key, this.field(key, schema.properties![key]!));
      const condition = conditionOf(schema.properties![key]!, schema.properties!);
      if (condition) this.conditions.set(key, condition);
    }
    const elements = (names: readonly string[]) => names.map(name => this.fields.get(name)!.element);
    this.more = rest.length > 0 ? fold(moreTitle, h('div', { class: 'fields' }, ...elements(rest))) : null;
    this.element = h('div', { class: 'fields' }, ...elements(first), this.more);
    this.values = {};
  }

  get values(): Values {
    return this.current;
  }

  set values(values: Values) {
    this.current = { ...values };
    this.problems.clear();
    for (const [key, field] of this.fields) {
      field.show(key in values ? values[key] : this.defaultOf(key));
      field.problem(null);
    }
    this.showApplicable();
  }

  /** Hides these fields, and no others. */
  hide(keys: readonly string[]): void {
    this.without = keys;
    this.showApplicable();
  }

  /** Problems by key: text that is no valid value, so that `values` differs from what the fields show. */
  get ownProblems(): ReadonlyMap<string, string> {
    return this.problems;
  }

  /** A key's value, or its default. */
  value(key: string): unknown {
    return key in this.current ? this.current[key] : this.defaultOf(key);
  }

  /** Changes one key as if the user had. */
  change(key: string, value: unknown): void {
    this.fields.get(key)?.show(value);
    this.take(key, value);
  }

  /** Sets the placeholder of an empty field. */
  hint(key: string, text: string): void {
    this.fields.get(key)?.hint?.(text);
  }

  /** Shows a problem that the engine found; null removes it. Returns false if the field isn't shown. */
  showProblem(key: string, message: string | null): boolean {
    const field = this.fields.get(key);
    if (!field || field.element.hidden) return false;
    field.problem(message ?? this.problems.get(key) ?? null);
    if (message && this.more?.contains(field.element)) this.more.open = true;
    return true;
  }

  private defaultOf(key: string): unknown {
    return this.options.schema.properties?.[key]?.default;
  }

  private take(key: string, value: unknown): void {
    this.problems.delete(key);
    this.fields.get(key)!.problem(null);
    if (JSON.stringify(value) === JSON.stringify(this.defaultOf(key))) delete this.current[key];
    else this.current[key] = value;
    this.showApplicable();
    this.options.onChange(this.current);
  }

  /** Hides fields that don't apply, as to the values of the others; a problem in a hidden field doesn't block the start. */
  private showApplicable(): void {
    for (const [key, field] of this.fields) {
      const condition = this.conditions.get(key);
      const applies = condition === undefined || condition.values.includes(this.value(condition.key));
      field.element.hidden = !applies || this.without.includes(key);
      if (!field.element.hidden || !this.problems.delete(key)) continue;
      field.show(this.value(key));
      field.problem(null);
    }
  }

  private refuse(key: string, problem: string): void {
    this.problems.set(key, problem);
    this.fields.get(key)!.problem(problem);
    this.options.onChange(this.current);
  }

  private field(key: string, schema: JsonSchema): Field {
    const control = controlOf(schema);
    const parts = fieldParts(key, schema, this.options.schema.properties);
    switch (control.kind) {
      case 'checkbox':
        return this.checkboxField(key, parts);
      case 'select':
        return this.selectField(key, parts, control.options);
      case 'lines':
        return this.linesField(key, parts);
      case 'text':
        return this.textField(key, parts, schema, control.numeric);
    }
  }

  private checkboxField(key: string, { element, name, help, message, problem }: FieldParts): Field {
    const box = checkbox({ label: name, onChange: value => this.take(key, value) });
    box.element.title = key;
    element.append(box.element, help, message);
    return { element, problem, show: value => void (box.value = value === true) };
  }

  private selectField(key: string, parts: FieldParts, options: readonly unknown[]): Field {
    const { element, name, label, help, message, problem } = parts;
    const select = dropdown({
      label: name,
      onChange: chosen =>
        this.take(
          key,
          options.find(option => textOf(option) === chosen),
        ),
    });
    select.choices = options.map(option => ({ value: textOf(option), label: textOf(option) || 'none' }));
    element.append(label, help, select.element, message);
    return { element, problem, show: value => void (select.value = textOf(value)) };
  }

  private linesField(key: string, { element, name, label, help, message, problem }: FieldParts): Field {
    const area = textArea({
      label: name,
      describedBy: help.id,
      placeholder: 'one per line',
      onChange: written => this.take(key, parseLines(written)),
    });
    element.append(label, help, area.element, message);
    return { element, problem, show: value => void (area.value = linesOf(value)) };
  }

  private textField(key: string, parts: FieldParts, schema: JsonSchema, numeric: boolean): Field {
    const { element, name, label, help, message, problem } = parts;
    const take = (written: string) => {
      const parsed = parseText(schema, written);
      if (parsed.ok) this.take(key, parsed.value);
      else this.refuse(key, parsed.problem);
    };
    const text = textField({
      label: name,
      describedBy: help.id,
      placeholder: textOf(schema.default) || (schema.type === 'object' ? 'key=value, key=value' : NOT_SET),
      size: numeric ? 'short' : undefined,
      onChange: take,
    });
    const action = this.options.actions?.[key];
    const browse =
      action &&
      button({
        label: action.label,
        icon: action.icon,
        iconOnly: true,
        onClick: () =>
          void action.run().then(written => {
            if (written === null) return;
            text.value = written;
            take(written);
          }),
      });
    element.classList.toggle('numeric', numeric);
    if (numeric) element.append(label, text.element, help, message);
    else element.append(label, help, h('div', { class: 'field-line' }, text.element, browse), message);
    return {
      element,
      problem: found => {
        problem(found);
        text.invalid = found !== null;
      },
      show: value => void (text.value = textOf(value)),
      hint: words => void (text.placeholder = words),
    };
  }
}

/** What all kinds of fields consist of, except for their control. */
interface FieldParts {
  element: HTMLElement;
  /** The title as text, for the control's own name. */
  name: string;
  label: HTMLElement;
  help: HTMLElement;
  message: HTMLElement;
  problem(text: string | null): void;
}

function fieldParts(key: string, schema: JsonSchema, siblings: JsonProperties | undefined): FieldParts {
  const name = schema.title ?? key;
  const element = h('div', { class: 'field', 'data-key': key });
  const message = h('p', { class: 'field-problem', role: 'alert', hidden: true });
  return {
    element,
    name,
    label: h('div', { class: 'field-label', title: key }, name, ' ', h('code', { class: 'field-key muted' }, key)),
    help: h('p', { class: 'help', id: uniqueId('help') }, helpOf(schema, siblings)),
    message,
    problem: text => {
      message.hidden = text === null;
      message.replaceChildren(...(text === null ? [] : [icon('error'), h('span', {}, text)]));
      element.classList.toggle('has-problem', text !== null);
    },
  };
}

/** What a link does about a problem. */
export interface ProblemAction {
  label: string;
  run(): void;
}

/** A banner for problems that concern no single field. */
export class ProblemBanner {
  private readonly text = h('span');
  private readonly action = h('span');
  readonly element = h(
    'div',
    { class: 'problem', role: 'alert', hidden: true },
    icon('error'),
    h('span', {}, this.text, this.action),
  );

  show(message: string | null, action?: ProblemAction): void {
    this.element.hidden = message === null;
    setText(this.text, message ?? '');
    this.action.replaceChildren(...(action ? [' ', actionLink(action)] : []));
  }
}

export function actionLink({ label, run }: ProblemAction): HTMLElement {
  const onclick = (event: Event) => {
    event.preventDefault();
    run();
  };
  return h('a', { href: '#', onclick }, label);
}
