// The whole preview: facts and histogram above, the table with its search and filters, the selected row beside it.
import type { WebviewChannel } from '../../../extension/src/protocol/webviewChannel.js';
import { count, percent } from '../../../extension/src/core/units.js';
import {
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

/** A pause in typing after which the search begins. */
const searchPauseMs = 200;
const plainView: PreviewView = { sort: 'position', descending: false, search: '', problem: null };

export class PreviewPage {
  readonly element: HTMLElement;
  private summary: PreviewSummary | null = null;
  private view: PreviewView;
  /** Rows of the view; null: all rows, however many there are by now. */
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
    label: 'Search the rows',
    placeholder: 'Search the rows',
    onChange: value => this.onSearch(value.trim()),
  });
  private readonly filter = dropdown({ label: 'Which rows to show', onChange: value => this.onFilter(value) });
  private readonly stop = button({
    label: 'Stop',
    icon: 'debug-stop',
    secondary: true,
    onClick: () => this.channel.notify(steerPreview, 'stop'),
  });
  private readonly countAll = button({
    label: 'Count Every Row',
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
    this.view = before.success ? before.data : plainView;
    this.grid = new RowGrid({
      fetch: (from, to) => channel.request(listPreviewRows, { from, to }),
      onSort: sort => this.onSort(sort),
      onActive: (row, open) => this.onActive(row, open),
    });
    this.detail = new RowDetailView(line => channel.notify(revealRow, { line }));
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

  /** @param rows the first ones, where they are known already */
  show(summary: PreviewSummary, rows: readonly PreviewRow[] = []): void {
    const before = this.summary;
    this.summary = summary;
    const anew = before?.generation !== summary.generation;
    const isBusy = summary.phase === 'indexing' || summary.phase === 'analysing' || summary.phase === 'comparing';
    // Rows that came without lengths have them now; a sorted or filtered view has another order.
    const settled = before !== null && before.phase !== summary.phase;
    this.showFacts(summary, isBusy);
    this.showFilters(summary);
    if (summary.histogram.length > 0) this.chart.replaceChildren(histogram(summary));
    const isPlain = JSON.stringify(this.view) === JSON.stringify(plainView);
    if (!isPlain && (anew || settled)) void this.applyView();
    else {
      this.showRows(anew || settled);
      if (rows.length > 0) this.grid.seed(rows);
    }
    if (anew && before && this.selected) void this.showDetail(this.selected.row);
  }

  fail(message: string): void {
    this.notice.hidden = false;
    this.notice.replaceChildren(icon('error'), h('span', {}, message));
  }

  private showFacts(summary: PreviewSummary, isBusy: boolean): void {
    const { format, rows, tokens, labelShare, exact, phase, share, countedRows, outdatedRuns } = summary;
    const about = exact || isBusy ? '' : '≈ ';
    const parts = [
      format?.title ?? (phase === 'indexing' ? 'Reading' : 'No dataset'),
      rows === 1 ? '1 row' : `${count(rows)} rows`,
    ];
    if (format && tokens > 0)
      parts.push(`${isBusy && !exact ? '≈ ' : about}${count(tokens)} tokens`, `${percent(labelShare)} learnt`);
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
    const trouble =
      phase === 'deleted' ? 'The file has been deleted. These are the rows that were read before.' : summary.error;
    this.notice.hidden = trouble === null;
    if (trouble !== null) this.fail(trouble);
    this.outdated.hidden = outdatedRuns === 0;
    if (outdatedRuns > 0) {
      const runs = outdatedRuns === 1 ? '1 run was' : `${count(outdatedRuns)} runs were`;
      this.outdated.replaceChildren(icon('history'), h('span', {}, `${runs} trained on older rows of this file.`));
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

  private showRows(anew: boolean): void {
    const { summary, viewRows } = this;
    if (!summary) return;
    const rows = viewRows ?? summary.rows;
    this.grid.show(rows, summary.maxLength, anew);
    setText(this.shownRows, viewRows === null ? '' : `${count(rows)} of ${count(summary.rows)} rows`);
    const isRead = summary.phase !== 'indexing';
    const reason = this.view.search || this.view.problem ? 'No row matches.' : 'There are no rows in this file.';
    this.grid.showEmpty(rows === 0 && isRead && !summary.error ? reason : null);
  }

  private onSearch(search: string): void {
    window.clearTimeout(this.searchTimer);
    this.searchTimer = window.setTimeout(() => void this.change({ search }), searchPauseMs);
  }

  private onFilter(value: string): void {
    void this.change({ problem: value === '' ? null : value });
  }

  private onSort(sort: PreviewView['sort']): void {
    const isSame = sort === this.view.sort;
    // Longest and worst first; a second click turns it round.
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
    setText(this.shownRows, 'Searching…');
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
