// The table of rows: of millions, only those in view are in the page, fetched in pages of a hundred as they scroll in.
// A grid for keyboard and screen readers: one row is active, and the arrow keys move it.
import { count, percent } from '../../../extension/src/core/units.js';
import type { PreviewRow, PreviewView } from '../../../extension/src/protocol/datasetPreviewMessages.js';
import { h, icon, setAttribute } from '../shared/dom.js';
import { isError, problemName } from './problemNames.js';

const ROW_HEIGHT = 24;
/**
 * Browsers limit elements to some 33 million pixels; beyond this height a scrolled pixel means more than a pixel of
 * rows.
 */
const MAX_HEIGHT = 8_000_000;
const PAGE_ROWS = 100;
const SPARE_ROWS = 4;

type Sort = PreviewView['sort'];

export interface RowGridOptions {
  fetch(from: number, to: number): Promise<PreviewRow[]>;
  onSort(sort: Sort): void;
  /** A row became active; `open` for Enter and double clicks. */
  onActive(row: PreviewRow, open: boolean): void;
}

const COLUMNS: { name: string; label: string; sort: Sort | null; title: string }[] = [
  { name: 'line', label: 'Row', sort: 'position', title: 'Row number in the file' },
  { name: 'tokens', label: 'Tokens', sort: 'length', title: 'Length in tokens, compared with max_length' },
  { name: 'trained', label: 'Trained', sort: null, title: 'Share of the tokens that count in the loss' },
  { name: 'problems', label: 'Problems', sort: 'problem', title: 'Problems of the row' },
  { name: 'excerpt', label: 'Content', sort: null, title: 'Beginning of the row’s content' },
];

export class RowGrid {
  readonly element: HTMLElement;
  /** The grid itself scrolls, below its heading. */
  private readonly scroller: HTMLElement;
  private readonly sizer = h('div', { class: 'sizer', role: 'presentation' });
  private readonly layer = h('div', { class: 'layer', role: 'rowgroup' });
  private readonly headers = new Map<Sort, HTMLElement>();
  private readonly empty = h('p', { class: 'empty muted', hidden: true });
  private pages = new Map<number, PreviewRow[] | Promise<void>>();
  /** Incomplete pages, shown until the whole page has been fetched again. */
  private readonly cut = new Map<number, PreviewRow[]>();
  private total = 0;
  private maxLength = 1;
  /** Position of the active row within the view. */
  private active = 0;
  private drawing = false;

  constructor(private readonly options: RowGridOptions) {
    this.sizer.append(this.layer);
    this.scroller = h(
      'div',
      {
        class: 'grid',
        role: 'grid',
        tabindex: 0,
        'aria-label': 'Dataset rows',
        'aria-colcount': COLUMNS.length,
        onkeydown: event => this.onKey(event as KeyboardEvent),
        onscroll: () => this.draw(),
      },
      this.header(),
      this.sizer,
    );
    this.element = h('div', { class: 'table' }, this.scroller, this.empty);
    new ResizeObserver(() => this.draw()).observe(this.scroller);
  }

  /** Sets the first rows of the view, which then aren't fetched. */
  seed(rows: readonly PreviewRow[]): void {
    this.pages.set(0, [...rows]);
  }

  /** @param refetch the rows themselves may have changed, so that all are fetched again */
  show(total: number, maxLength: number, refetch: boolean): void {
    if (refetch) {
      this.pages = new Map();
      this.cut.clear();
    }
    const grew = total !== this.total;
    this.total = total;
    this.maxLength = Math.max(1, maxLength);
    if (grew || refetch) {
      setAttribute(this.scroller, 'aria-rowcount', total + 1);
      this.sizer.style.height = `${Math.min(total * ROW_HEIGHT, MAX_HEIGHT)}px`;
      // The page that held the last rows has more now.
      if (grew) this.pages.delete(Math.floor(Math.max(0, this.total - 1) / PAGE_ROWS));
      for (const [page, rows] of this.pages)
        if (!(rows instanceof Promise) && rows.length < PAGE_ROWS) {
          this.pages.delete(page);
          this.cut.set(page, rows);
        }
      this.active = Math.min(this.active, Math.max(0, total - 1));
    }
    this.draw();
  }

  /** A message shown instead of rows. */
  showEmpty(text: string | null): void {
    this.empty.hidden = text === null;
    this.empty.textContent = text ?? '';
  }

  showSort(sort: Sort, descending: boolean): void {
    for (const [key, header] of this.headers) {
      const isSorted = key === sort;
      setAttribute(header, 'aria-sort', isSorted ? (descending ? 'descending' : 'ascending') : 'none');
      header.querySelector('.codicon')?.remove();
      if (isSorted) header.querySelector('button')!.append(icon(descending ? 'arrow-down' : 'arrow-up'));
    }
  }

  /** Scrolls to the first row and makes it the active one. */
  toTop(): void {
    this.active = 0;
    this.scroller.scrollTop = 0;
    this.draw();
  }

  private header(): HTMLElement {
    const cells = COLUMNS.map(({ name, label, sort, title }) => {
      const content = sort
        ? h(
            'button',
            { type: 'button', title: `${title}; click to sort`, onclick: () => this.options.onSort(sort) },
            label,
          )
        : label;
      const cell = h('div', { class: `cell ${name}`, role: 'columnheader', title: sort ? null : title }, content);
      if (sort) this.headers.set(sort, cell);
      return cell;
    });
    const row = h('div', { class: 'row heading', role: 'row', 'aria-rowindex': 1 }, ...cells);
    return h('div', { class: 'headings', role: 'rowgroup' }, row);
  }

  /** Height available for rows, in pixels. */
  private get height(): number {
    return Math.max(0, this.scroller.clientHeight - ROW_HEIGHT);
  }

  /** Position at the top of the viewport; may be fractional. */
  private get firstVisible(): number {
    const { height } = this;
    const { scrollTop } = this.scroller;
    if (this.total * ROW_HEIGHT <= MAX_HEIGHT) return scrollTop / ROW_HEIGHT;
    const share = scrollTop / Math.max(1, MAX_HEIGHT - height);
    return Math.min(1, share) * (this.total - height / ROW_HEIGHT);
  }

  private scrollTo(position: number): void {
    const { height } = this;
    const isPlain = this.total * ROW_HEIGHT <= MAX_HEIGHT;
    const share = position / Math.max(1, this.total - height / ROW_HEIGHT);
    this.scroller.scrollTop = isPlain ? position * ROW_HEIGHT : share * (MAX_HEIGHT - height);
  }

  private reveal(position: number): void {
    const first = this.firstVisible;
    const visible = this.height / ROW_HEIGHT;
    if (position < first) this.scrollTo(position);
    else if (position + 1 > first + visible) this.scrollTo(position + 1 - visible);
  }

  private draw(): void {
    if (this.drawing) return;
    this.drawing = true;
    requestAnimationFrame(() => {
      this.drawing = false;
      this.drawNow();
    });
  }

  private drawNow(): void {
    const first = this.firstVisible;
    const from = Math.max(0, Math.floor(first) - SPARE_ROWS);
    const to = Math.min(this.total, Math.ceil(first + this.height / ROW_HEIGHT) + SPARE_ROWS);
    const drawn: HTMLElement[] = [];
    for (let position = from; position < to; position++) drawn.push(this.rowElement(position));
    this.layer.replaceChildren(...drawn);
    this.layer.style.transform = `translateY(${this.scroller.scrollTop - (first - from) * ROW_HEIGHT}px)`;
    const activeRow = this.active >= from && this.active < to ? rowId(this.active) : null;
    setAttribute(this.scroller, 'aria-activedescendant', this.total > 0 ? activeRow : null);
  }

  private rowElement(position: number): HTMLElement {
    const row = this.rowAt(position);
    const isActive = position === this.active;
    const attributes = {
      id: rowId(position),
      class: `row${isActive ? ' active' : ''}${row ? '' : ' loading'}`,
      role: 'row',
      'aria-rowindex': position + 2,
      'aria-selected': String(isActive),
      onclick: () => this.activate(position, false),
      ondblclick: () => this.activate(position, true),
    };
    return h('div', attributes, ...(row ? this.cells(row) : [h('div', { class: 'cell', role: 'gridcell' }, '…')]));
  }

  private cells({ row, tokens, labelTokens, problems, excerpt }: PreviewRow): HTMLElement[] {
    const share = (tokens ?? 0) / this.maxLength;
    const meter = h('span', { class: share > 1 ? 'meter over' : 'meter', 'aria-hidden': 'true' }, h('span', {}));
    (meter.firstElementChild as HTMLElement).style.width = `${Math.min(1, share) * 100}%`;
    const trained = !tokens ? '' : labelTokens ? percent(labelTokens / tokens) : '0%';
    const cell = (name: string, ...content: (Node | string)[]) =>
      h('div', { class: `cell ${name}`, role: 'gridcell' }, ...content);
    const names = problems.map(problemName).join(', ');
    const mark = problems.length === 0 ? [] : [icon(problems.some(isError) ? 'error' : 'warning'), names];
    const problemCell = cell('problems', ...mark);
    problemCell.classList.toggle('is-error', problems.some(isError));
    problemCell.title = names;
    return [
      cell('line number', count(row + 1)),
      cell('tokens number', ...(tokens ? [meter, count(tokens)] : [])),
      cell('trained number', trained),
      problemCell,
      cell('excerpt', excerpt.replace(/\s+/g, ' ')),
    ];
  }

  private rowAt(position: number): PreviewRow | null {
    const page = Math.floor(position / PAGE_ROWS);
    const rows = this.pages.get(page);
    if (rows === undefined) this.fetch(page);
    const there = Array.isArray(rows) ? rows : this.cut.get(page);
    return there?.[position - page * PAGE_ROWS] ?? null;
  }

  private fetch(page: number): void {
    const { pages } = this;
    const arrived = this.options.fetch(page * PAGE_ROWS, (page + 1) * PAGE_ROWS).then(
      rows => {
        pages.set(page, rows);
        this.cut.delete(page);
        if (this.pages === pages) this.draw();
      },
      () => void pages.delete(page),
    );
    pages.set(page, arrived);
  }

  private activate(position: number, open: boolean): void {
    if (this.total === 0) return;
    this.active = Math.min(Math.max(0, position), this.total - 1);
    this.reveal(this.active);
    this.draw();
    const wanted = this.active;
    const tell = () => {
      const row = this.rowAt(wanted);
      if (row) this.options.onActive(row, open);
      else {
        const pending = this.pages.get(Math.floor(wanted / PAGE_ROWS));
        if (pending instanceof Promise) void pending.then(() => this.active === wanted && tell());
      }
    };
    tell();
  }

  private onKey(event: KeyboardEvent): void {
    if ((event.target as HTMLElement).tagName === 'BUTTON' || event.ctrlKey || event.metaKey || event.altKey) return;
    const target = {
      ArrowDown: this.active + 1,
      ArrowUp: this.active - 1,
      PageDown: this.active + Math.max(1, Math.floor(this.height / ROW_HEIGHT)),
      PageUp: this.active - Math.max(1, Math.floor(this.height / ROW_HEIGHT)),
      Home: 0,
      End: this.total - 1,
      Enter: this.active,
      ' ': this.active,
    }[event.key];
    if (target === undefined) return;
    event.preventDefault();
    this.activate(target, event.key === 'Enter');
  }
}

function rowId(position: number): string {
  return `row-${position}`;
}
