// One row in full, next to the table: its problems, and its content as a conversation, as tokens, and as in the file.
import { count } from '../../../extension/src/core/units.js';
import type { PreviewDetail } from '../../../extension/src/protocol/datasetPreviewMessages.js';
import { h, icon, setAttribute, uniqueId } from '../shared/dom.js';
import { button } from '../shared/toolkit.js';
import { isError, problemName } from './problemNames.js';

const TABS = [
  { name: 'rendered', label: 'Rendered' },
  { name: 'tokens', label: 'Tokens' },
  { name: 'source', label: 'Source' },
] as const;
type Tab = (typeof TABS)[number]['name'];

export class RowDetailView {
  readonly element = h('section', { class: 'detail', 'aria-label': 'Selected row' });
  private tab: Tab = 'rendered';

  constructor(
    private readonly onReveal: (line: number) => void,
    private readonly onAsk: (row: { prompt: string; system?: string }) => void,
  ) {
    this.clear();
  }

  clear(): void {
    this.element.replaceChildren(h('p', { class: 'empty muted' }, 'Select a row to see what the model is trained on.'));
  }

  show(detail: PreviewDetail, maxLength: number): void {
    const { row, line, tokens, labelTokens, findings } = detail;
    const over = tokens !== null && tokens > maxLength ? ` (max_length ${count(maxLength)})` : '';
    const facts = tokens ? `${count(tokens)} tokens${over}, ${count(labelTokens ?? 0)} trained on` : '';
    const reveal = button({
      label: 'Show in Text Editor',
      icon: 'go-to-file',
      iconOnly: true,
      onClick: () => this.onReveal(line),
    });
    const asked = questionOf(detail);
    const ask =
      asked &&
      button({
        label: 'Ask This Row’s Prompt',
        icon: 'comment-discussion',
        iconOnly: true,
        onClick: () => this.onAsk(asked),
      });
    this.element.replaceChildren(
      h('header', {}, h('h2', {}, `Row ${count(row + 1)}`), h('span', { class: 'muted number' }, facts), ask, reveal),
      ...findings.map(({ code, message, hint, place }) =>
        h(
          'p',
          { class: `finding${isError(code) ? ' is-error' : ''}` },
          icon(isError(code) ? 'error' : 'warning'),
          h('span', {}, ...nameOf(code, message), placeText(place), hint ? `${message}. ${hint}` : message),
        ),
      ),
      this.tabs(detail),
    );
  }

  private tabs(detail: PreviewDetail): HTMLElement {
    const panel = h('div', { class: 'tabpanel', role: 'tabpanel', id: uniqueId('panel'), tabindex: 0 });
    const select = (tab: Tab, focus: boolean) => {
      this.tab = tab;
      for (const [index, { name }] of TABS.entries()) {
        setAttribute(heads[index], 'aria-selected', String(name === tab));
        heads[index].tabIndex = name === tab ? 0 : -1;
        if (name === tab && focus) heads[index].focus();
        if (name === tab) setAttribute(panel, 'aria-labelledby', heads[index].id);
      }
      panel.replaceChildren(CONTENTS[tab](detail));
      panel.scrollTop = 0;
    };
    const move = (event: KeyboardEvent, index: number) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (step === undefined) return;
      event.preventDefault();
      select(TABS[(index + step + TABS.length) % TABS.length].name, true);
    };
    const heads = TABS.map(({ name, label }, index) =>
      h(
        'button',
        {
          type: 'button',
          role: 'tab',
          id: uniqueId('tab'),
          'aria-controls': panel.id,
          onclick: () => select(name, false),
          onkeydown: event => move(event as KeyboardEvent, index),
        },
        label,
      ),
    );
    select(this.tab, false);
    return h('div', { class: 'tabs' }, h('div', { class: 'tablist', role: 'tablist' }, ...heads), panel);
  }
}

/** The first question of a conversation; null if it has none. */
function questionOf({ turns }: PreviewDetail): { prompt: string; system?: string } | null {
  const contentOf = (...roles: string[]) => turns.find(({ role }) => roles.includes(role))?.content;
  const prompt = contentOf('user', 'prompt');
  const system = contentOf('system');
  return prompt ? { prompt, ...(system ? { system } : {}) } : null;
}

/** `line 5, column 94: `, of the file */
function placeText(place: PreviewDetail['findings'][number]['place']): string {
  if (!place) return '';
  const { line, column } = place;
  return `line ${count(line)}${column === undefined ? '' : `, column ${count(column)}`}: `;
}

const CONTENTS: Record<Tab, (detail: PreviewDetail) => HTMLElement> = { rendered, tokens: asTokens, source };

function rendered(detail: PreviewDetail): HTMLElement {
  if (detail.turns.length === 0) return detail.runs.length > 0 ? asTokens(detail) : source(detail);
  return h(
    'ol',
    { class: 'turns' },
    ...detail.turns.map(({ role, content, trained }) =>
      h(
        'li',
        { class: trained ? 'turn trained' : 'turn' },
        h('div', { class: 'role' }, role, trained && h('span', { class: 'badge' }, 'trained on')),
        h('div', { class: 'content' }, content || '(empty)'),
      ),
    ),
  );
}

const RUN_NAMES: Record<PreviewDetail['runs'][number]['kind'], string> = {
  trained: 'trained on',
  masked: 'context',
  cut: 'cut off',
};

function asTokens({ runs }: PreviewDetail): HTMLElement {
  if (runs.length === 0) return h('p', { class: 'muted' }, 'This row can’t be tokenized.');
  const legend = h(
    'p',
    { class: 'legend muted' },
    h('span', { class: 'run trained' }, RUN_NAMES.trained),
    ' ',
    h('span', { class: 'run masked' }, RUN_NAMES.masked),
  );
  if (runs.some(({ kind }) => kind === 'cut')) legend.append(' ', h('span', { class: 'run cut' }, RUN_NAMES.cut));
  const text = h('pre', { class: 'tokens' });
  for (const run of runs) {
    const title = `${count(run.tokens)} tokens, ${RUN_NAMES[run.kind]}`;
    text.append(h('span', { class: `run ${run.kind}`, title }, run.text));
  }
  return h('div', {}, legend, text);
}

function source({ text }: PreviewDetail): HTMLElement {
  return h('pre', { class: 'source' }, pretty(text));
}

function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** The name of a problem, unless its message begins with it, as "invalid JSON" does. */
function nameOf(code: string, message: string): HTMLElement[] {
  const name = problemName(code);
  return message.toLowerCase().startsWith(name.toLowerCase()) ? [] : [h('strong', {}, `${name}: `)];
}
