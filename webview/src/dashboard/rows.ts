// The rows behind a loss: those that a step was trained on, or all of a run in an order, each with its losses; a row opens in its editor or
// goes into quarantine. Shows whole snapshots; part of the dashboard.
import { count, figure } from '../../../extension/src/core/units.js';
import type { ListedRows, RowsRequest } from '../../../extension/src/protocol/dashboardMessages.js';
import { rowOrderSchema, type RowLosses, type RowOrder } from '../../../extension/src/protocol/rowLosses.js';
import { h, setText } from '../shared/dom.js';
import { phaseText } from '../shared/phaseText.js';
import { ProgressBar } from '../shared/progressBar.js';
import { reasonBlock } from '../shared/reasonBlock.js';
import { actionLink } from '../shared/schemaForm.js';
import { button, dropdown } from '../shared/toolkit.js';

const ORDERS: Record<RowOrder, string> = {
  suspect: 'Likely wrong labels',
  highest: 'Highest loss',
  lowest: 'Lowest loss (memorised)',
  changed: 'Most changed from the base',
};

const EXPLANATIONS: Record<'step' | RowOrder, string> = {
  step: '“Then” is the loss in that step, with dropout and before its update.',
  suspect: 'Rows with a much higher loss than rows with similar questions.',
  highest: 'Rows that the model predicts worst after training.',
  lowest: 'Rows that the model knows best after training; far below the base, it has memorised them.',
  changed: 'Rows whose loss training has changed most.',
};

const LOSSES = [
  { key: 'then', title: 'Then' },
  { key: 'before', title: 'Base' },
  { key: 'now', title: 'Now' },
] as const;

export interface RowsViewOptions {
  /** null: no rows. */
  onList(request: RowsRequest | null): void;
  onCancel(): void;
  onOpen(line: number): void;
  onQuarantine(hash: string, quarantined: boolean): void;
  onTrainWithout(folder: string): void;
}

export class RowsView {
  readonly element = h('section', {
    class: 'block rows',
    'aria-labelledby': 'listed-rows',
    tabindex: -1,
    hidden: true,
  });
  private readonly title = h('h2', { id: 'listed-rows' });
  private readonly order = dropdown({
    label: 'Order of rows',
    onChange: value => this.list(value as RowOrder),
  });
  private readonly orderChoice = h('div', { class: 'choice' }, this.order.element);
  private readonly cancel: HTMLElement;
  private readonly again: HTMLElement;
  private readonly status = h('p', { class: 'muted', role: 'status' });
  private readonly progress = new ProgressBar('Losses of rows');
  private readonly content = h('div', { class: 'listed' });
  private readonly without = h('div', { class: 'actions' });
  private listed: ListedRows | null = null;
  private shownFor = '';

  constructor(private readonly options: RowsViewOptions) {
    const { onList, onCancel } = options;
    this.order.choices = rowOrderSchema.options.map(value => ({ value, label: ORDERS[value] }));
    this.cancel = button({ label: 'Cancel', icon: 'debug-stop', secondary: true, onClick: onCancel });
    this.again = button({ label: 'Measure Again', icon: 'refresh', secondary: true, onClick: () => this.list() });
    const close = button({ label: 'Close Rows', icon: 'close', iconOnly: true, onClick: () => onList(null) });
    this.element.append(
      h('div', { class: 'rows-head' }, this.title, this.orderChoice, this.again, this.cancel, close),
      this.status,
      this.progress.element,
      this.content,
      this.without,
    );
  }

  /** Scrolls to the list once it has appeared. */
  show(listed: ListedRows | null): void {
    const isNew = listed !== null && !sameList(listed, this.listed);
    this.listed = listed;
    this.element.hidden = listed === null;
    if (!listed) return void (this.shownFor = '');
    this.showHead(listed);
    this.showProgress(listed);
    const key = JSON.stringify([listed.list, listed.rows, listed.failure]);
    if (key !== this.shownFor) this.showRows(listed);
    this.shownFor = key;
    if (isNew) this.element.scrollIntoView({ block: 'nearest' });
  }

  private list(order?: RowOrder): void {
    if (this.listed) this.options.onList({ folder: this.listed.folder, list: order ?? this.listed.list });
  }

  private showHead({ list }: ListedRows): void {
    const isRanked = typeof list === 'string';
    setText(this.title, isRanked ? 'Rows by loss' : `Rows of step ${count(list.step)}`);
    this.orderChoice.hidden = !isRanked;
    if (isRanked) this.order.value = list;
  }

  private showProgress({ list, rows, progress, cancelled, failure }: ListedRows): void {
    const hadFocus = this.element.contains(document.activeElement);
    this.cancel.hidden = this.progress.hidden = progress === null;
    this.again.hidden = progress !== null || !(cancelled || failure !== null);
    // The button that was pressed is gone.
    if (hadFocus && document.activeElement === document.body) (progress ? this.cancel : this.element).focus();
    this.progress.showShare(progress?.share ?? 0);
    if (progress) setText(this.status, phaseText(progress.phase, progress.share, 'Measuring losses'));
    else if (cancelled) setText(this.status, 'Cancelled before all losses were measured.');
    else setText(this.status, failure === null && rows ? EXPLANATIONS[typeof list === 'string' ? list : 'step'] : '');
  }

  private showRows({ folder, rows, failure }: ListedRows): void {
    const { onTrainWithout } = this.options;
    this.content.replaceChildren(
      ...(failure === null ? [] : [reasonBlock(failure)]),
      ...(rows === null
        ? []
        : rows.length === 0
          ? [h('p', { class: 'muted' }, 'The run has no such rows.')]
          : [this.table(rows)]),
    );
    const excluded = rows?.some(row => row.quarantined) ?? false;
    this.without.replaceChildren(
      ...(excluded
        ? [
            button({
              label: 'Train Again without Rows in Quarantine',
              icon: 'debug-rerun',
              secondary: true,
              onClick: () => onTrainWithout(folder),
            }),
          ]
        : []),
    );
  }

  private table(rows: readonly RowLosses[]): HTMLElement {
    const losses = LOSSES.filter(({ key }) => rows.some(row => row[key] !== null));
    const heading = (text: string, className = '') => h('th', { scope: 'col', class: className }, text);
    return h(
      'table',
      { 'aria-labelledby': 'listed-rows' },
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          heading('Line'),
          ...losses.map(({ title }) => heading(title, 'number')),
          heading('Row'),
          h('th', { scope: 'col' }, h('span', { class: 'visually-hidden' }, 'Quarantine')),
        ),
      ),
      h(
        'tbody',
        {},
        ...rows.map(row => {
          const link = actionLink({ label: `Line ${count(row.line)}`, run: () => this.options.onOpen(row.line) });
          link.title = 'Open the row in its editor';
          return h(
            'tr',
            { class: row.quarantined ? 'quarantined' : '' },
            h('th', { scope: 'row' }, link),
            ...losses.map(({ key, title }) =>
              h('td', { class: 'number', 'data-label': title }, row[key] === null ? '-' : figure(row[key])),
            ),
            h('td', { class: 'row-text' }, row.text.trim() || '(no text)'),
            h('td', {}, this.toggle(row)),
          );
        }),
      ),
    );
  }

  private toggle({ hash, line, quarantined }: RowLosses): HTMLElement {
    return button({
      label: quarantined ? `Take line ${line} out of quarantine` : `Put line ${line} into quarantine`,
      icon: quarantined ? 'discard' : 'circle-slash',
      iconOnly: true,
      onClick: () => this.options.onQuarantine(hash, !quarantined),
    });
  }
}

function sameList(a: ListedRows, b: ListedRows | null): boolean {
  return b !== null && a.folder === b.folder && JSON.stringify(a.list) === JSON.stringify(b.list);
}
