// Form controls that look like VS Code's. The only module that imports @vscode/webview-ui-toolkit, which is no longer
// developed: to move to a successor (@vscode-elements/elements), rewrite this file (docs/decisions/0007).
import {
  provideVSCodeDesignSystem,
  vsCodeButton,
  vsCodeCheckbox,
  vsCodeDropdown,
  vsCodeOption,
  vsCodeTextArea,
  vsCodeTextField,
  type Button,
  type Checkbox,
  type Dropdown,
  type TextArea,
  type TextField,
} from '@vscode/webview-ui-toolkit';
import { h, icon } from './dom.js';

provideVSCodeDesignSystem().register(
  vsCodeButton(),
  vsCodeCheckbox(),
  vsCodeDropdown(),
  vsCodeOption(),
  vsCodeTextArea(),
  vsCodeTextField(),
);

export interface Control<T> {
  readonly element: HTMLElement;
  value: T;
  disabled: boolean;
}

export interface ButtonOptions {
  label: string;
  /** Codicon; with `iconOnly` the label becomes the tooltip and the name for screen readers. */
  icon?: string;
  iconOnly?: boolean;
  secondary?: boolean;
  onClick(): void;
}

export function button(options: ButtonOptions): Button {
  const { label, iconOnly, onClick } = options;
  const element = document.createElement('vscode-button') as Button;
  // Set before the appearance: an icon button without a label names itself "Icon Button".
  if (iconOnly) element.setAttribute('aria-label', label);
  element.setAttribute('appearance', iconOnly ? 'icon' : options.secondary ? 'secondary' : 'primary');
  if (options.icon) {
    const glyph = icon(options.icon);
    if (!iconOnly) glyph.slot = 'start';
    element.append(glyph);
  }
  if (iconOnly) element.title = label;
  else element.append(label);
  element.addEventListener('click', () => onClick());
  return element;
}

export interface FieldOptions<T> {
  /** For screen readers; a visible label is up to the caller. */
  label: string;
  /** Id of the element that describes it. */
  describedBy?: string;
  onChange(value: T): void;
}

/** A line of text; calls `onChange` at every keystroke. */
export function textField({
  label,
  describedBy,
  onChange,
  placeholder = '',
  size,
}: FieldOptions<string> & { placeholder?: string; size?: 'short' }): Control<string> & {
  placeholder: string;
  invalid: boolean;
} {
  const element = document.createElement('vscode-text-field') as TextField;
  element.placeholder = placeholder;
  if (size) element.classList.add(size);
  element.addEventListener('input', () => onChange(element.value));
  const input = () => element.shadowRoot!.querySelector('input')!;
  name(element, input, label, describedBy);
  return {
    element,
    get value() {
      return element.value;
    },
    set value(value) {
      if (element.value !== value) element.value = value;
    },
    get disabled() {
      return element.disabled;
    },
    set disabled(value) {
      element.disabled = value;
    },
    get placeholder() {
      return element.placeholder;
    },
    set placeholder(text) {
      element.placeholder = text;
    },
    get invalid() {
      return element.classList.contains('invalid');
    },
    set invalid(value) {
      element.classList.toggle('invalid', value);
      if (element.isConnected) input().setAttribute('aria-invalid', String(value));
    },
  };
}

/** Several lines of text; calls `onChange` at every keystroke. */
export function textArea({
  label,
  describedBy,
  onChange,
  placeholder,
}: FieldOptions<string> & { placeholder: string }): Control<string> {
  const element = document.createElement('vscode-text-area') as TextArea;
  element.placeholder = placeholder;
  element.rows = 3;
  element.setAttribute('resize', 'vertical');
  element.addEventListener('input', () => onChange(element.value));
  name(element, () => element.shadowRoot!.querySelector('textarea')!, label, describedBy);
  return {
    element,
    get value() {
      return element.value;
    },
    set value(value) {
      if (element.value !== value) element.value = value;
    },
    get disabled() {
      return element.disabled;
    },
    set disabled(value) {
      element.disabled = value;
    },
  };
}

/** Names the inner control, which has the focus, since the element names itself "Text field" once it is attached. */
function name(element: HTMLElement, inner: () => HTMLElement, label: string, describedBy: string | undefined): void {
  whenAttached(element, () => {
    element.removeAttribute('aria-label');
    // The element passes the removal on a frame later, which would remove our name as well.
    requestAnimationFrame(() => {
      inner().setAttribute('aria-label', label);
      const description = describedBy && document.getElementById(describedBy);
      if (description) inner().setAttribute('aria-description', description.textContent ?? '');
    });
  });
}

export function checkbox({ label, onChange }: FieldOptions<boolean>): Control<boolean> {
  const element = document.createElement('vscode-checkbox') as Checkbox;
  element.append(label);
  element.addEventListener('change', () => onChange(element.checked));
  return {
    element,
    get value() {
      return element.checked;
    },
    set value(value) {
      // The element fires `change` for scripts, too.
      if (element.checked !== value) element.checked = value;
    },
    get disabled() {
      return element.disabled;
    },
    set disabled(value) {
      element.disabled = value;
    },
  };
}

export interface DropdownChoice {
  value: string;
  label: string;
}

export interface DropdownControl extends Control<string> {
  choices: readonly DropdownChoice[];
}

export function dropdown({ label, onChange }: FieldOptions<string>): DropdownControl {
  const element = document.createElement('vscode-dropdown') as Dropdown;
  element.setAttribute('aria-label', label);
  let choices: readonly DropdownChoice[] = [];
  let value = '';
  const show = () => {
    // Options may not have arrived yet or have another order, and the element selects by index.
    const index = choices.findIndex(choice => choice.value === value);
    if (element.isConnected) element.selectedIndex = index;
  };
  element.addEventListener('change', () => {
    const chosen = choices[element.selectedIndex];
    if (!chosen || chosen.value === value) return;
    value = chosen.value;
    onChange(value);
  });
  whenAttached(element, show);
  return {
    element,
    get value() {
      return value;
    },
    set value(next) {
      value = next;
      show();
    },
    get choices() {
      return choices;
    },
    set choices(next) {
      choices = next;
      element.replaceChildren(
        ...next.map(choice => {
          const option = document.createElement('vscode-option');
          option.setAttribute('value', choice.value);
          option.title = choice.label;
          option.textContent = choice.label;
          return option;
        }),
      );
      // The element picks up its options a frame later.
      requestAnimationFrame(show);
    },
    get disabled() {
      return element.disabled;
    },
    set disabled(disabled) {
      element.disabled = disabled;
    },
  };
}

/** Calls `f` once the element is in the document and has rendered. */
function whenAttached(element: HTMLElement, f: () => void): void {
  const wait = () => (element.isConnected ? requestAnimationFrame(f) : requestAnimationFrame(wait));
  wait();
}

/** A heading with collapsible content; native, so that it works with keyboards and screen readers. */
export function fold(title: string, ...content: HTMLElement[]): HTMLDetailsElement {
  return h('details', { class: 'fold' }, h('summary', {}, icon('chevron-right', 'twistie'), title), ...content);
}
