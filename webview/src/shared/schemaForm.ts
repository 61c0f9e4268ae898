// A form made from a JSON schema: one field a key with its help, default, range and problem, the important ones first and the
// rest folded. Values are those of a run file: a key at its default is left out. Knows no option by name.
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
import type { JsonSchema } from '../../../extension/src/core/forms/jsonSchema.js';
import { fill, h, icon, setText, uniqueId } from './dom.js';
import { button, checkbox, dropdown, fold, textArea, textField } from './toolkit.js';

export type Values = Readonly<Record<string, unknown>>;

export interface FieldAction {
  icon: string;
  label: string;
  /** The field's new text; null leaves it. */
  run(): Promise<string | null>;
}

export interface SchemaFormOptions {
  schema: JsonSchema;
  /** Keys that stand before the fold: so many of the first, or these. */
  important: number | readonly string[];
  /** Keys with a control elsewhere. */
  omit?: readonly string[];
  moreTitle: string;
  actions?: Readonly<Record<string, FieldAction>>;
  onChange(values: Values): void;
}

interface Field {
  element: HTMLElement;
  show(value: unknown): void;
  /** Only of a line of text: what stands in it while it is empty. */
  hint?(text: string): void;
  problem(message: string | null): void;
}

export class SchemaForm {
  readonly element: HTMLElement;
  private readonly fields = new Map<string, Field>();
  /** Of fields that only some values of another give a meaning. */
  private readonly conditions = new Map<string, FieldCondition>();
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
    this.showWhatCounts();
  }

  /** Problems by key that keep the values from being what the fields show. */
  get ownProblems(): ReadonlyMap<string, string> {
    return this.problems;
  }

  /** A key's value, default included. */
  value(key: string): unknown {
    return key in this.current ? this.current[key] : this.defaultOf(key);
  }

  /** Changes one key as if the user had. */
  change(key: string, value: unknown): void {
    this.fields.get(key)?.show(value);
    this.take(key, value);
  }

  /** What an empty field stands for. */
  hint(key: string, text: string): void {
    this.fields.get(key)?.hint?.(text);
  }

  /** What the engine found wrong; null takes it away. Returns false where no such field is shown. */
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
    this.showWhatCounts();
    this.options.onChange(this.current);
  }

  /** A field that the others make meaningless is out of sight, and what is wrong in it keeps nobody from starting. */
  private showWhatCounts(): void {
    for (const [key, condition] of this.conditions) {
      const field = this.fields.get(key)!;
      field.element.hidden = !condition.values.includes(this.value(condition.key));
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
    const helpId = uniqueId('help');
    const help = h('p', { class: 'help', id: helpId }, helpOf(schema, this.options.schema.properties));
    const message = h('p', { class: 'field-problem', role: 'alert', hidden: true });
    const field = h('div', { class: 'field', 'data-key': key });
    const problem = (text: string | null) => {
      message.hidden = text === null;
      message.replaceChildren(...(text === null ? [] : [icon('error'), h('span', {}, text)]));
      field.classList.toggle('has-problem', text !== null);
    };
    const name = schema.title ?? key;
    const inFile = h('code', { class: 'field-key muted' }, key);
    const label = h('div', { class: 'field-label', title: key }, name, ' ', inFile);

    if (control.kind === 'checkbox') {
      const box = checkbox({ label: name, onChange: value => this.take(key, value) });
      box.element.title = key;
      fill(field, {}, [box.element, help, message]);
      return { element: field, problem, show: value => void (box.value = value === true) };
    }
    if (control.kind === 'select') {
      const select = dropdown({
        label: name,
        onChange: chosen =>
          this.take(
            key,
            control.options.find(option => textOf(option) === chosen),
          ),
      });
      select.choices = control.options.map(option => ({ value: textOf(option), label: textOf(option) || 'none' }));
      fill(field, {}, [label, help, select.element, message]);
      return { element: field, problem, show: value => void (select.value = textOf(value)) };
    }
    if (control.kind === 'lines') {
      const area = textArea({
        label: name,
        describedBy: helpId,
        placeholder: 'one a line',
        onChange: written => this.take(key, parseLines(written)),
      });
      fill(field, {}, [label, help, area.element, message]);
      return { element: field, problem, show: value => void (area.value = linesOf(value)) };
    }
    const take = (written: string) => {
      const parsed = parseText(schema, written);
      if (parsed.ok) this.take(key, parsed.value);
      else this.refuse(key, parsed.problem);
    };
    const text = textField({
      label: name,
      describedBy: helpId,
      placeholder: textOf(schema.default) || (schema.type === 'object' ? 'key=value, key=value' : NOT_SET),
      size: control.numeric ? 'short' : undefined,
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
    if (control.numeric) {
      field.classList.add('numeric');
      fill(field, {}, [label, text.element, help, message]);
    } else fill(field, {}, [label, help, h('div', { class: 'field-line' }, text.element, browse), message]);
    return {
      element: field,
      problem: found => {
        problem(found);
        text.invalid = found !== null;
      },
      show: value => void (text.value = textOf(value)),
      hint: words => void (text.placeholder = words),
    };
  }
}

/** A banner for what concerns no single field. */
export class ProblemBanner {
  private readonly text = h('span');
  readonly element = h('div', { class: 'problem', role: 'alert', hidden: true }, icon('error'), this.text);

  show(message: string | null): void {
    this.element.hidden = message === null;
    setText(this.text, message ?? '');
  }
}
