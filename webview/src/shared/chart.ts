// A line chart over uPlot: theme colours, values at the pointer or the arrow keys, zoom by dragging, log scale,
// smoothing, PNG and CSV. It takes whole columns, smooths them, then thins them to the width in pixels, so that the
// cost of drawing depends on the pixels and not on the number of steps.
import 'uplot/dist/uPlot.min.css';
import uPlot from 'uplot';
import { decimate, lowerBound } from '../../../extension/src/core/metrics/decimation.js';
import { exponentialMovingAverage } from '../../../extension/src/core/metrics/smoothing.js';
import { h } from './dom.js';
import { button } from './toolkit.js';

export interface ChartSeries {
  /** Also its heading in the CSV. */
  label: string;
  /** Series of one group share a line of the readout. */
  group: string;
  /** Theme variable, such as `--vscode-charts-blue`. */
  color: string;
  /** Ascending. */
  x: Float64Array;
  y: Float64Array;
  /** `points` are joined by a line and never smoothed. */
  kind: 'line' | 'points';
}

export interface ChartOptions {
  title: string;
  /** Formats a value for the readout. */
  format(value: number): string;
  /** Formats a tick label, as short as possible; default: a plain number. */
  formatTick?(value: number): string;
  /** Charts of one group share the cursor. */
  syncGroup: string;
  logarithmic?: boolean;
  /** Called with the file name and the content. */
  onExport(name: string, content: string | Uint8Array): void;
  /** The user zoomed; null: to the full range. */
  onZoom(range: Range | null): void;
}

export interface Range {
  min: number;
  max: number;
}

const HEIGHT = 180;
const RAW_ALPHA = 0.3;

/** A series as drawn. */
interface Drawn {
  series: ChartSeries;
  y: Float64Array;
  faint: boolean;
}

const STEP_INCREMENTS = Array.from({ length: 10 }, (_, power) => [1, 2, 5].map(digit => digit * 10 ** power)).flat();

export class Chart {
  readonly element: HTMLElement;
  private readonly plot: HTMLElement;
  private readonly readout = h('ul', { class: 'readout number' });
  private readonly empty = h('p', { class: 'muted chart-empty' }, 'No values yet');
  private readonly logButton: ReturnType<typeof button>;
  private readonly resetButton: ReturnType<typeof button>;
  private series: readonly ChartSeries[] = [];
  private smoothing = 0;
  private lastStep = 0;
  private range: Range | null = null;
  private logarithmic: boolean;
  private uplot: uPlot | null = null;
  private drawn: Drawn[] = [];
  /** The series that `uplot` was made for; others need a new one. */
  private madeFor = '';
  private frame = 0;
  private readonly resizing: ResizeObserver;

  constructor(private readonly options: ChartOptions) {
    const { title } = options;
    this.logarithmic = options.logarithmic ?? false;
    this.logButton = this.action('logarithmic scale', 'graph-line', () => this.toggleLog());
    this.resetButton = this.action('reset zoom', 'screen-full', () => options.onZoom(null));
    this.resetButton.hidden = true;
    this.plot = h('div', {
      class: 'plot',
      role: 'img',
      tabindex: 0,
      'aria-label': title,
      onkeydown: event => this.key(event as KeyboardEvent),
      onblur: () => this.uplot?.setCursor({ left: -10, top: -10 }),
    });
    this.element = h(
      'figure',
      { class: 'chart' },
      h(
        'figcaption',
        {},
        h('h3', {}, title),
        h(
          'div',
          { class: 'chart-actions' },
          this.resetButton,
          this.logButton,
          this.action('save as PNG', 'file-media', () => void this.exportPng()),
          this.action('save as CSV', 'export', () => this.exportCsv()),
        ),
      ),
      this.readout,
      this.plot,
      this.empty,
    );
    this.resizing = new ResizeObserver(() => this.draw());
    this.resizing.observe(this.plot);
    this.showLog();
  }

  private action(what: string, icon: string, onClick: () => void): ReturnType<typeof button> {
    return button({ label: `${this.options.title}: ${what}`, icon, iconOnly: true, onClick });
  }

  /** @param lastStep end of the step axis, the same for every chart of a page */
  show(series: readonly ChartSeries[], smoothing: number, lastStep: number): void {
    this.lastStep = lastStep;
    this.series = series.filter(({ x }) => x.length > 0);
    this.smoothing = smoothing;
    this.draw();
  }

  /** null: the full range. */
  zoom(range: Range | null): void {
    this.range = range;
    this.resetButton.hidden = range === null;
    this.draw();
  }

  /** Redraws with the colours of the new theme. */
  retheme(): void {
    this.madeFor = '';
    this.draw();
  }

  dispose(): void {
    cancelAnimationFrame(this.frame);
    this.resizing.disconnect();
    this.uplot?.destroy();
  }

  private draw(): void {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.redraw();
    });
  }

  private redraw(): void {
    this.empty.hidden = this.series.length > 0;
    this.plot.hidden = this.series.length === 0;
    const width = Math.floor(this.plot.clientWidth);
    if (width === 0 || this.series.length === 0) return this.showReadout(null);
    this.drawn = this.series.flatMap(series => {
      if (series.kind === 'points' || this.smoothing === 0) return [{ series, y: series.y, faint: false }];
      const smooth = { series, y: exponentialMovingAverage(series.y, this.smoothing), faint: false };
      // With a single run, the raw curve stays visible behind the smoothed one.
      return this.series.filter(({ kind }) => kind === 'line').length > 1
        ? [smooth]
        : [{ series, y: series.y, faint: true }, smooth];
    });
    const data = this.thinned(width);
    const shape = JSON.stringify([
      this.drawn.map(({ series, faint }) => [series.label, series.color, series.kind, faint]),
      this.logarithmic,
    ]);
    if (!this.uplot || shape !== this.madeFor) {
      this.uplot?.destroy();
      this.uplot = new uPlot(this.uplotOptions(width), data, this.plot);
      this.madeFor = shape;
    } else {
      if (this.uplot.width !== width) this.uplot.setSize({ width, height: HEIGHT });
      this.uplot.setData(data);
    }
    this.describe();
    this.showReadout(this.uplot.cursor.idx ?? null);
  }

  /** The columns thinned to two points per pixel and joined on one x. */
  private thinned(width: number): uPlot.AlignedData {
    const tables = this.drawn.map(({ series: { x }, y }): uPlot.AlignedData => {
      const from = this.range ? Math.max(0, lowerBound(x, this.range.min) - 1) : 0;
      const to = this.range ? Math.min(x.length, lowerBound(x, this.range.max) + 1) : x.length;
      const kept = decimate(y, from, to, width);
      // A logarithmic axis has no place for values that aren't positive.
      const value = (index: number) =>
        Number.isFinite(y[index]) && !(this.logarithmic && y[index]! <= 0) ? y[index]! : null;
      return [Array.from(kept, index => x[index]!), Array.from(kept, value)];
    });
    return uPlot.join(
      tables,
      tables.map(() => [1]),
    ) as uPlot.AlignedData;
  }

  private uplotOptions(width: number): uPlot.Options {
    const foreground = themeColor('--vscode-descriptionForeground');
    const grid = themeColor('--vscode-editorWidget-border', '--vscode-contrastBorder', '--vscode-panel-border');
    const font = `11px ${themeColor('--vscode-font-family')}`;
    const axis: uPlot.Axis = {
      stroke: foreground,
      font,
      grid: { stroke: translucent(grid, isHighContrast() ? 0.25 : 0.5), width: 1 },
      ticks: { show: false },
    };
    return {
      width,
      height: HEIGHT,
      padding: [8, 12, 0, 0],
      legend: { show: false },
      cursor: {
        y: false,
        points: { size: 6 },
        drag: { x: true, y: false, setScale: false },
        sync: { key: this.options.syncGroup, setSeries: false },
      },
      scales: {
        x: {
          time: false,
          range: () => (this.range ? [this.range.min, this.range.max] : [0, Math.max(1, this.lastStep)]),
        },
        y: this.logarithmic ? { distr: 3, log: 10 } : { range: (_u, min, max) => padded(min, max) },
      },
      axes: [
        // Steps are integers.
        { ...axis, size: 26, incrs: STEP_INCREMENTS, values: (_u, splits) => splits.map(shortNumber) },
        {
          ...axis,
          size: 56,
          values: (_u, splits) =>
            splits.map(value => (value === null ? '' : (this.options.formatTick ?? shortNumber)(value))),
        },
      ],
      series: [
        {},
        ...this.drawn.map(({ series, faint }): uPlot.Series => {
          const color = themeColor(series.color);
          return {
            label: series.label,
            stroke: faint ? translucent(color, RAW_ALPHA) : color,
            width: faint ? 1 : 1.5,
            spanGaps: true,
            points: { show: series.kind === 'points', size: 6, fill: color },
          };
        }),
      ],
      hooks: {
        setCursor: [({ cursor }) => this.showReadout(cursor.idx ?? null)],
        setSelect: [
          u => {
            if (u.select.width < 4) return;
            const [min, max] = [u.posToVal(u.select.left, 'x'), u.posToVal(u.select.left + u.select.width, 'x')];
            u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
            this.options.onZoom({ min, max });
          },
        ],
        ready: [u => u.over.addEventListener('dblclick', () => this.options.onZoom(null))],
      },
    };
  }

  /** Shows the values at an index of the joined x; null: the last ones. */
  private showReadout(index: number | null): void {
    const at = index === null ? null : this.uplot?.data[0][index];
    const shown = this.drawn.filter(({ faint }) => !faint);
    const items = shown.map(({ series, y }, i) => {
      const nearest = at === null || at === undefined ? y.length - 1 : nearestIndex(series.x, at);
      const swatch = h('span', { class: `swatch ${series.kind}`, 'aria-hidden': 'true' });
      swatch.style.background = `var(${series.color})`;
      const value = Number.isFinite(y[nearest]) ? this.options.format(y[nearest]!) : String(y[nearest] ?? '');
      const item = h(
        'li',
        { title: `step ${series.x[nearest]}` },
        swatch,
        h('span', { class: 'muted' }, series.label),
        h('b', {}, value),
      );
      if (series.group !== shown[i - 1]?.series.group) item.classList.add('first');
      return item;
    });
    // As a table where several groups have several series: in a line they would wrap anywhere.
    const groups = shown.map(({ series }) => series.group);
    const columns = Math.max(0, ...groups.map(group => groups.filter(each => each === group).length));
    this.readout.classList.toggle('table', columns > 1 && groups.length > columns);
    this.readout.style.setProperty('--columns', String(columns));
    const where = at === null || at === undefined ? null : h('li', { class: 'muted at' }, `step ${shortNumber(at)}`);
    this.readout.replaceChildren(...items, ...(where ? [where] : []));
  }

  /** The chart in words, for screen readers. */
  private describe(): void {
    const parts = this.drawn
      .filter(({ faint }) => !faint)
      .map(({ series: { label, x }, y }) => {
        const lowest = y.reduce((best, value, i) => (value < y[best]! ? i : best), 0);
        const { format } = this.options;
        return `${label}: ${x.length} values from ${format(y[0]!)} to ${format(y.at(-1)!)}, lowest ${format(y[lowest]!)} at ${shortNumber(x[lowest]!)}`;
      });
    this.plot.setAttribute(
      'aria-label',
      `${this.options.title}. ${parts.join('. ')}. Use the arrow keys to read values, plus and minus to zoom.`,
    );
  }

  private key(event: KeyboardEvent): void {
    const { uplot } = this;
    if (!uplot) return;
    const points = uplot.data[0].length;
    const at = uplot.cursor.idx ?? points - 1;
    const jump = event.shiftKey ? Math.ceil(points / 20) : 1;
    const moves: Record<string, number> = { ArrowLeft: at - jump, ArrowRight: at + jump, Home: 0, End: points - 1 };
    const to = moves[event.key];
    if (to !== undefined) {
      const x = uplot.data[0][Math.min(points - 1, Math.max(0, to))]!;
      uplot.setCursor({ left: uplot.valToPos(x, 'x'), top: 1 });
    } else if (event.key === '+' || event.key === '-') this.zoomBy(event.key === '+' ? 0.5 : 2);
    else if (event.key === 'Escape' || event.key === '0') this.options.onZoom(null);
    else return;
    event.preventDefault();
  }

  /** Around the cursor, within the full range. */
  private zoomBy(factor: number): void {
    const { min, max } = this.uplot!.scales['x']!;
    const center = this.uplot!.data[0][this.uplot!.cursor.idx ?? -1] ?? (min! + max!) / 2;
    const half = ((max! - min!) * factor) / 2;
    const range = { min: Math.max(0, center - half), max: Math.min(this.lastStep, center + half) };
    this.options.onZoom(range.min <= 0 && range.max >= this.lastStep ? null : range);
  }

  private toggleLog(): void {
    this.logarithmic = !this.logarithmic;
    this.showLog();
    this.draw();
  }

  private showLog(): void {
    this.logButton.ariaPressed = String(this.logarithmic);
    this.logButton.classList.toggle('pressed', this.logarithmic);
  }

  private async exportPng(): Promise<void> {
    if (!this.uplot) return;
    const source = this.uplot.ctx.canvas;
    const scale = source.width / this.uplot.width;
    const head = 24 * scale;
    const canvas = h('canvas', { width: source.width, height: source.height + head });
    const context = canvas.getContext('2d')!;
    context.fillStyle = themeColor('--vscode-editor-background');
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.font = `${12 * scale}px ${themeColor('--vscode-font-family')}`;
    context.textBaseline = 'middle';
    let left = 10 * scale;
    const write = (text: string, color: string) => {
      context.fillStyle = color;
      context.fillText(text, left, head / 2);
      left += context.measureText(text).width + 14 * scale;
    };
    write(this.options.title, themeColor('--vscode-foreground'));
    for (const { series, faint } of this.drawn) if (!faint) write(series.label, themeColor(series.color));
    context.drawImage(source, 0, head);
    const blob = await new Promise<Blob | null>(resolve => canvas.toBlob(resolve, 'image/png'));
    if (blob) this.options.onExport(`${fileName(this.options.title)}.png`, new Uint8Array(await blob.arrayBuffer()));
  }

  /** Every value, neither smoothed nor thinned. */
  private exportCsv(): void {
    const lines = this.series.flatMap(({ label, x, y }) => Array.from(x, (at, i) => `${quoted(label)},${at},${y[i]}`));
    this.options.onExport(`${fileName(this.options.title)}.csv`, ['series,step,value', ...lines, ''].join('\n'));
  }
}

/** The first of these theme variables that is set. */
export function themeColor(...names: string[]): string {
  const style = getComputedStyle(document.documentElement);
  return names.map(name => style.getPropertyValue(name).trim()).find(value => value !== '') ?? 'gray';
}

function isHighContrast(): boolean {
  return document.body.classList.contains('vscode-high-contrast');
}

function translucent(color: string, share: number): string {
  return `color-mix(in srgb, ${color} ${share * 100}%, transparent)`;
}

function nearestIndex(x: Float64Array, at: number): number {
  const right = Math.min(x.length - 1, lowerBound(x, at));
  const left = Math.max(0, right - 1);
  return at - x[left]! < x[right]! - at ? left : right;
}

function padded(min: number | null, max: number | null): uPlot.Range.MinMax {
  if (min === null || max === null) return [0, 1];
  const room = (max - min || Math.abs(max) || 1) * 0.06;
  return [min >= 0 && min - room < 0 ? 0 : min - room, max + room];
}

function shortNumber(value: number): string {
  if (Math.abs(value) >= 1e10) return Number(value.toPrecision(3)).toExponential();
  return Math.abs(value) >= 10_000 ? `${+(value / 1000).toPrecision(4)}k` : String(+value.toPrecision(6));
}

function fileName(title: string): string {
  return title.toLowerCase().replace(/[^a-z0-9]+/g, '-');
}

function quoted(text: string): string {
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
