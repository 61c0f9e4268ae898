// The whole preview: facts and histogram at the top, the table with search and filters, the selected row next to it.
import type { WebviewChannel } from '../../../extension/src/protocol/webviewChannel.js';
import { count, percent } from '../../../extension/src/core/units.js';
import {
  askRow,
  fineTuneFromPreview,
  listPreviewRows,
  previewViewSchema,
  readPreviewRow,
  revealRow,
  setPreviewView,
  steerPreview,
  type PreviewRow,
  type PreviewSummary,
  type PreviewView,
} from '../../../extension/src/protocol/datasetPreviewMessages.js';
import { h, icon, setText } from '../shared/dom.js';
import { button, dropdown, textField } from '../shared/toolkit.js';
import { histogram } from './histogram.js';
import { problemName } from './problemNames.js';
import { RowDetailView } from './rowDetail.js';
import { RowGrid } from './rowGrid.js';

/** Pause in typing before the search starts. */
const SEARCH_PAUSE_MS = 200;
const PLAIN_VIEW: PreviewView = { sort: 'position', descending: false, search: '', problem: null };

export class PreviewPage {
  readonly element: HTMLElement;
  private summary: PreviewSummary | null = null;
  private view: PreviewView;
  /** Number of rows in the view; null: all rows read so far. */
  private viewRows: number | null = null;
  private searchTimer = 0;
  private lastView = 0;
  private selected: PreviewRow | null = null;

  private readonly facts = h('p', { class: 'facts' });
  private readonly readBy = h('p', { class: 'muted read-by' });
  private readonly notice = h('p', { class: 'problem', role: 'alert', hidden: true });
  private readonly outdated = h('p', { class: 'finding', hidden: true });
  private readonly progress = h('div', {
    class: 'progress',
    role: 'progressbar',
    'aria-label': 'Reading the dataset',
    'aria-valuemin': 0,
    'aria-valuemax': 100,
  });
  private readonly chart = h('div', { class: 'chart' });
  private readonly shownRows = h('span', { class: 'muted number', role: 'status' });
  private readonly grid: RowGrid;
  private readonly detail: RowDetailView;
  private readonly search = textField({
    label: 'Search rows',
    placeholder: 'Search rows',
    onChange: value => this.onSearch(value.trim()),
  });
  private readonly filter = dropdown({ label: 'Filter rows', onChange: value => this.onFilter(value) });
  private readonly stop = button({
    label: 'Stop',
    icon: 'debug-stop',
    secondary: true,
    onClick: () => this.channel.notify(steerPreview, 'stop'),
  });
  private readonly countAll = button({
    label: 'Count All Rows',
    icon: 'symbol-number',
    secondary: true,
    onClick: () => this.channel.notify(steerPreview, 'countAll'),
  });

  constructor(
    private readonly channel: WebviewChannel,
    kept: unknown,
    private readonly keep: (state: unknown) => void,
  ) {
    const before = previewViewSchema.safeParse(kept);
    this.view = before.success ? before.data : PLAIN_VIEW;
    this.grid = new RowGrid({
      fetch: (from, to) => channel.request(listPreviewRows, { from, to }),
      onSort: sort => this.onSort(sort),
      onActive: (row, open) => this.onActive(row, open),
    });
    this.detail = new RowDetailView(
      line => channel.notify(revealRow, { line }),
      row => channel.notify(askRow, row),
    );
    this.search.value = this.view.search;
    const fineTune = button({
      label: 'Fine-Tune',
      icon: 'rocket',
      onClick: () => channel.notify(fineTuneFromPreview, undefined),
    });
    this.progress.append(h('span', {}));
    this.element = h(
      'div',
      { class: 'preview' },
      this.progress,
      h(
        'header',
        { class: 'head' },
        h('div', { class: 'about' }, this.facts, this.readBy, this.outdated),
        h('div', { class: 'actions' }, this.stop, this.countAll, fineTune),
      ),
      this.notice,
      this.chart,
      h(
        'div',
        { class: 'filters', role: 'search' },
        h('div', { class: 'search' }, this.search.element),
        h('div', { class: 'filter' }, this.filter.element),
        this.shownRows,
      ),
      h('div', { class: 'body' }, this.grid.element, this.detail.element),
    );
    this.grid.showSort(this.view.sort, this.view.descending);
  }

  /** @param rows the first rows, if they are known already */
  show(summary: PreviewSummary, rows: readonly PreviewRow[] = []): void {
    const before = this.summary;
    this.summary = summary;
    const isReread = before?.generation !== summary.generation;
    const isBusy = summary.phase === 'indexing' || summary.phase === 'analysing' || summary.phase === 'comparing';
    // Rows fetched earlier may have lengths now, and a sorted or filtered view another order.
    const settled = before !== null && before.phase !== summary.phase;
    this.showFacts(summary, isBusy);
    this.showFilters(summary);
    if (summary.histogram.length > 0) this.chart.replaceChildren(histogram(summary));
    const isPlain = JSON.stringify(this.view) === JSON.stringify(PLAIN_VIEW);
    if (!isPlain && (isReread || settled)) void this.applyView();
    else {
      this.showRows(isReread || settled);
      if (rows.length > 0) this.grid.seed(rows);
    }
    if (isReread && before && this.selected) void this.showDetail(this.selected.row);
  }

  fail(message: string): void {
    this.notice.hidden = false;
    this.notice.replaceChildren(icon('error'), h('span', {}, message));
  }

  private showFacts(summary: PreviewSummary, isBusy: boolean): void {
    const { format, rows, tokens, labelShare, exact, phase, share, countedRows, outdatedRuns } = summary;
    const about = exact || isBusy ? '' : '≈ ';
    const parts = [
      format?.title ?? (phase === 'indexing' ? 'Reading...' : 'Not a dataset'),
      rows === 1 ? '1 row' : `${count(rows)} rows`,
    ];
    if (format && tokens > 0)
      parts.push(`${isBusy && !exact ? '≈ ' : about}${count(tokens)} tokens`, `${percent(labelShare)} trained on`);
    setText(this.facts, parts.join(' · '));
    const sampled = phase === 'ready' && !exact && countedRows < rows;
    setText(this.readBy, sampled ? `${summary.readBy}; lengths of ${count(countedRows)} rows counted` : summary.readBy);
    this.countAll.hidden = !sampled || !format;
    this.stop.hidden = !isBusy;
    this.progress.hidden = !isBusy;
    const phaseName = { indexing: 'Finding the rows', analysing: 'Counting tokens', comparing: 'Comparing' }[
      phase as 'indexing'
    ];
    this.progress.setAttribute('aria-valuenow', String(Math.round(share * 100)));
    this.progress.setAttribute('aria-valuetext', `${phaseName ?? ''} ${Math.round(share * 100)}%`);
    (this.progress.firstElementChild as HTMLElement).style.width = `${share * 100}%`;
    const trouble = phase === 'deleted' ? 'The file was deleted. The rows shown were read before that.' : summary.error;
    this.notice.hidden = trouble === null;
    if (trouble !== null) this.fail(trouble);
    this.outdated.hidden = outdatedRuns === 0;
    if (outdatedRuns > 0) {
      const runs = outdatedRuns === 1 ? '1 run was' : `${count(outdatedRuns)} runs were`;
      this.outdated.replaceChildren(
        icon('history'),
        h('span', {}, `${runs} trained on an older version of this file.`),
      );
    }
  }

  private showFilters({ problems }: PreviewSummary): void {
    const found = Object.entries(problems);
    const choices = [
      { value: '', label: 'All rows' },
      { value: 'any', label: 'Rows with problems' },
      ...found.map(([code, rows]) => ({ value: code, label: `${problemName(code)} (${count(rows)})` })),
    ];
    const chosen = this.view.problem ?? '';
    if (!choices.some(({ value }) => value === chosen)) choices.push({ value: chosen, label: problemName(chosen) });
    if (JSON.stringify(choices) !== JSON.stringify(this.filter.choices)) this.filter.choices = choices;
    this.filter.value = chosen;
  }

  private showRows(refetch: boolean): void {
    const { summary, viewRows } = this;
    if (!summary) return;
    const rows = viewRows ?? summary.rows;
    this.grid.show(rows, summary.maxLength, refetch);
    setText(this.shownRows, viewRows === null ? '' : `${count(rows)} of ${count(summary.rows)} rows`);
    const isRead = summary.phase !== 'indexing';
    const reason = this.view.search || this.view.problem ? 'No matching rows.' : 'This file has no rows.';
    this.grid.showEmpty(rows === 0 && isRead && !summary.error ? reason : null);
  }

  private onSearch(search: string): void {
    window.clearTimeout(this.searchTimer);
    this.searchTimer = window.setTimeout(() => void this.change({ search }), SEARCH_PAUSE_MS);
  }

  private onFilter(value: string): void {
    void this.change({ problem: value === '' ? null : value });
  }

  private onSort(sort: PreviewView['sort']): void {
    const isSame = sort === this.view.sort;
    // Longest and worst first; a second click reverses the order.
    void this.change({ sort, descending: isSame ? !this.view.descending : sort !== 'position' });
  }

  private async change(change: Partial<PreviewView>): Promise<void> {
    this.view = { ...this.view, ...change };
    this.keep(this.view);
    this.grid.showSort(this.view.sort, this.view.descending);
    await this.applyView();
    this.grid.toTop();
  }

  private async applyView(): Promise<void> {
    const asked = ++this.lastView;
    setText(this.shownRows, 'Searching...');
    try {
      const { rows } = await this.channel.request(setPreviewView, this.view);
      if (asked !== this.lastView) return;
      const showsAll = this.view.search === '' && this.view.problem === null;
      this.viewRows = showsAll && this.view.sort === 'position' ? null : rows;
      this.showRows(true);
    } catch (error) {
      if (asked === this.lastView) setText(this.shownRows, (error as Error).message);
    }
  }

  private onActive(row: PreviewRow, open: boolean): void {
    if (open) this.channel.notify(revealRow, { line: row.line });
    if (this.selected?.row === row.row && !open) return;
    this.selected = row;
    void this.showDetail(row.row);
  }

  private async showDetail(row: number): Promise<void> {
    const detail = await this.channel.request(readPreviewRow, row).catch(() => null);
    if (this.selected?.row !== row) return;
    if (detail) this.detail.show(detail, this.summary?.maxLength ?? 0);
    else this.detail.clear();
  }
}
