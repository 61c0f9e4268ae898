// A line chart over uPlot: theme colours, values at the pointer or the arrow keys, zoom by dragging, log scale,
// smoothing, PNG and CSV. It takes whole columns, smooths them, then thins them to the width in pixels, so that the
// cost of drawing depends on the pixels and not on the number of steps.
import 'uplot/dist/uPlot.min.css';
import uPlot from 'uplot';
import { decimate, lowerBound } from '../../../extension/src/core/metrics/decimation.js';
import { exponentialMovingAverage } from '../../../extension/src/core/metrics/smoothing.js';
import { h, setText } from './dom.js';
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
  /** `points` are joined by a line. */
  kind: 'line' | 'points';
  /** Whether its values are noisy: others are never smoothed. */
  noisy: boolean;
  /** A point to point out, with a few words. */
  mark?: { x: number; y: number; text: string } | undefined;
  /** Where something happened to what it is of, drawn as a line from top to bottom. */
  breaks?: readonly { x: number; text: string }[] | undefined;
}

export interface ChartOptions {
  title: string;
  /** What the values are of, such as the name of a run, for the title of an exported picture. */
  subject(): string;
  /** Formats a value for the readout. */
  format(value: number): string;
  /** Formats a tick label, as short as possible; default: a plain number. */
  formatTick?(value: number): string;
  /** Charts of one group share the cursor. */
  syncGroup: string;
  logarithmic?: boolean;
  /** Called with the file name and the content. */
  onExport(name: string, content: string | Uint8Array): void;
  /** The user chose the point at this x, by a click or the Enter key. */
  onPick?(x: number): void;
  /** The user zoomed; null: to the full range. */
  onZoom(range: Range | null): void;
}

export interface Range {
  min: number;
  max: number;
}

const HEIGHT = 180;
const RAW_ALPHA = 0.4;
/** In pixels; less is a click. */
const SMALLEST_DRAG = 4;
/** Distance of a mark's words from its point, and of the words of two marks. */
const MARK_LINE = 16;
/** Size of an exported picture in CSS pixels, without title and legend, and its pixels for each of them. */
const PNG = { width: 900, height: 360, scale: 2, padding: 16, line: 22 };

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
  /** Next to the title, so that nothing moves when it appears. */
  private readonly at = h('span', { class: 'muted at number' });
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
      class: options.onPick ? 'plot pickable' : 'plot',
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
        this.at,
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
    );
    this.resizing = new ResizeObserver(() => this.draw());
    this.resizing.observe(this.plot);
    this.showLog();
  }

  private action(what: string, icon: string, onClick: () => void): ReturnType<typeof button> {
    return button({ label: `${this.options.title}: ${what}`, icon, iconOnly: true, onClick });
  }

  /** Hidden while there are no values. @param lastStep end of the step axis, the same for every chart of a page */
  show(series: readonly ChartSeries[], smoothing: number, lastStep: number): void {
    this.lastStep = lastStep;
    this.series = series.filter(({ x }) => x.length > 0);
    this.smoothing = smoothing;
    this.element.hidden = this.series.length === 0;
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
    const width = Math.floor(this.plot.clientWidth);
    if (width === 0 || this.series.length === 0) return;
    this.drawn = this.series.flatMap(series => {
      const raw = { series, y: series.y };
      if (!series.noisy || this.smoothing === 0) return [{ ...raw, faint: false }];
      // The raw curve stays visible behind the smoothed one.
      const y = exponentialMovingAverage(series.y, this.smoothing);
      return [
        { ...raw, faint: true },
        { series, y, faint: false },
      ];
    });
    const data = this.thinned(width);
    const shape = JSON.stringify([
      this.drawn.map(({ series, faint }) => [
        series.label,
        series.color,
        series.kind,
        series.mark,
        series.breaks,
        faint,
      ]),
      this.logarithmic,
    ]);
    if (!this.uplot || shape !== this.madeFor) {
      this.uplot?.destroy();
      this.uplot = new uPlot(this.uplotOptions({ width, height: HEIGHT }), data, this.plot);
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

  /** @param scale of everything that has a size, for a canvas with more pixels than the screen */
  private uplotOptions({ width, height }: { width: number; height: number }, scale = 1): uPlot.Options {
    const foreground = themeColor('--vscode-descriptionForeground');
    const grid = themeColor('--vscode-editorWidget-border', '--vscode-contrastBorder', '--vscode-panel-border');
    const font = `${11 * scale}px ${themeColor('--vscode-font-family')}`;
    const axis: uPlot.Axis = {
      stroke: foreground,
      font,
      grid: { stroke: translucent(grid, isHighContrast() ? 0.25 : 0.5), width: scale },
      ticks: { show: false },
      gap: 5 * scale,
    };
    return {
      width,
      height,
      padding: [8 * scale, 12 * scale, 0, 0],
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
        {
          ...axis,
          size: 26 * scale,
          space: 50 * scale,
          incrs: STEP_INCREMENTS,
          values: (_u, splits) => splits.map(shortNumber),
        },
        {
          ...axis,
          size: 56 * scale,
          space: 30 * scale,
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
            width: (faint ? 1 : 1.5) * scale,
            spanGaps: true,
            points: { show: series.kind === 'points', size: 6 * scale, width: scale, fill: color },
          };
        }),
      ],
      hooks: {
        draw: [
          u => {
            this.drawBreaks(u, scale);
            this.drawMarks(u, scale);
          },
        ],
        setCursor: [({ cursor }) => this.showReadout(cursor.idx ?? null)],
        setSelect: [
          u => {
            if (u.select.width < SMALLEST_DRAG) return;
            const [min, max] = [u.posToVal(u.select.left, 'x'), u.posToVal(u.select.left + u.select.width, 'x')];
            u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
            this.options.onZoom({ min, max });
          },
        ],
        ready: [u => this.listen(u)],
      },
    };
  }

  private listen({ over }: uPlot): void {
    over.addEventListener('dblclick', () => this.options.onZoom(null));
    let from = 0;
    over.addEventListener('mousedown', ({ clientX }) => (from = clientX));
    over.addEventListener('click', ({ clientX }) => {
      // The end of a drag, which zooms, is a click too.
      if (Math.abs(clientX - from) < SMALLEST_DRAG) this.pick();
    });
  }

  private pick(): void {
    const x = this.uplot?.data[0][this.uplot.cursor.idx ?? -1];
    if (x !== undefined) this.options.onPick?.(x);
  }

  /** A dashed line at each break, with its words at the top where there is room. */
  private drawBreaks({ ctx, valToPos, bbox }: uPlot, scale: number): void {
    const pixels = scale * devicePixelRatio;
    const right = bbox.left + bbox.width;
    ctx.save();
    ctx.font = `${11 * pixels}px ${themeColor('--vscode-font-family')}`;
    ctx.textAlign = 'left';
    ctx.textBaseline = 'top';
    ctx.lineJoin = 'round';
    const foreground = themeColor('--vscode-foreground');
    let free = bbox.left;
    for (const { x: value, text } of this.series.flatMap(({ breaks }) => breaks ?? [])) {
      const x = valToPos(value, 'x', true);
      if (!(x >= bbox.left && x <= right)) continue;
      ctx.strokeStyle = foreground;
      ctx.lineWidth = pixels;
      ctx.setLineDash([4 * pixels, 3 * pixels]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      const room = ctx.measureText(text).width;
      const left = x + 4 * pixels + room <= right ? x + 4 * pixels : x - 4 * pixels - room;
      if (left < free) continue;
      free = left + room;
      ctx.setLineDash([]);
      ctx.lineWidth = 4 * pixels;
      ctx.strokeStyle = themeColor('--vscode-editor-background');
      ctx.strokeText(text, left, bbox.top + 2 * pixels);
      ctx.fillStyle = foreground;
      ctx.fillText(text, left, bbox.top + 2 * pixels);
    }
    ctx.restore();
  }

  /** A ring at the marked points, and words above or below it where no others are. */
  private drawMarks({ ctx, valToPos, bbox }: uPlot, scale: number): void {
    const pixels = scale * devicePixelRatio;
    const foreground = themeColor('--vscode-foreground');
    ctx.save();
    ctx.font = `${11 * pixels}px ${themeColor('--vscode-font-family')}`;
    ctx.textAlign = 'left';
    ctx.textBaseline = 'middle';
    ctx.lineJoin = 'round';
    const taken: { left: number; right: number; middle: number }[] = [];
    for (const { mark } of this.series) {
      if (!mark) continue;
      const [x, y] = [valToPos(mark.x, 'x', true), valToPos(mark.y, 'y', true)];
      if (!(x >= bbox.left && x <= bbox.left + bbox.width && y >= bbox.top && y <= bbox.top + bbox.height)) continue;
      ctx.lineWidth = 1.5 * pixels;
      ctx.strokeStyle = foreground;
      ctx.beginPath();
      ctx.arc(x, y, 6 * pixels, 0, 2 * Math.PI);
      ctx.stroke();
      const room = ctx.measureText(mark.text).width;
      const left = Math.max(bbox.left, Math.min(x - room / 2, bbox.left + bbox.width - room));
      const right = left + room;
      const isFree = (middle: number) =>
        middle > bbox.top &&
        middle < bbox.top + bbox.height &&
        !taken.some(
          other => other.left < right && left < other.right && Math.abs(other.middle - middle) < MARK_LINE * pixels,
        );
      const middle = [-1, 1, -2, 2].map(lines => y + lines * MARK_LINE * pixels).find(isFree);
      if (middle === undefined) continue;
      taken.push({ left, right, middle });
      // An outline in the colour of the background keeps the words readable on top of curves.
      ctx.lineWidth = 4 * pixels;
      ctx.strokeStyle = themeColor('--vscode-editor-background');
      ctx.strokeText(mark.text, left, middle);
      ctx.fillStyle = foreground;
      ctx.fillText(mark.text, left, middle);
    }
    ctx.restore();
  }

  /** Shows the recorded values at an index of the joined x; null: the last ones. */
  private showReadout(index: number | null): void {
    const at = index === null ? null : this.uplot?.data[0][index];
    const items = this.series.map((series, i) => {
      const { y } = series;
      const nearest = at === null || at === undefined ? y.length - 1 : nearestIndex(series.x, at);
      const swatch = h('span', { class: `swatch ${series.kind}`, 'aria-hidden': 'true' });
      swatch.style.background = `var(${series.color})`;
      const value = Number.isFinite(y[nearest]) ? this.options.format(y[nearest]!) : '-';
      const item = h(
        'li',
        { title: `${series.label} ${value} at step ${series.x[nearest]}` },
        swatch,
        h('span', { class: 'muted label' }, series.label),
        h('b', {}, value),
      );
      if (series.group !== this.series[i - 1]?.group) item.classList.add('first');
      return item;
    });
    // A line for each group, and no more, whatever the values are: plots don't move.
    const groups = this.series.map(({ group }) => group);
    const columns = Math.max(0, ...groups.map(group => groups.filter(each => each === group).length));
    this.readout.style.setProperty('--columns', String(columns));
    this.readout.replaceChildren(...items);
    setText(this.at, at === null || at === undefined ? '' : `step ${shortNumber(at)}`);
  }

  /** The chart in words, for screen readers. */
  private describe(): void {
    const parts = this.series.map(({ label, x, y, mark, breaks = [] }) => {
      const first = Math.max(0, y.findIndex(Number.isFinite));
      const lowest = y.reduce((best, value, i) => (value < y[best]! ? i : best), first);
      const { format } = this.options;
      const range = `${x.length} values from ${format(y[first]!)} to ${format(y.at(-1)!)}, lowest ${format(y[lowest]!)} at ${shortNumber(x[lowest]!)}`;
      const broken = breaks.map(each => `, ${each.text} after step ${shortNumber(each.x)}`).join('');
      return `${label}: ${range}${mark ? `, ${mark.text}` : ''}${broken}`;
    });
    this.plot.setAttribute(
      'aria-label',
      `${this.options.title}. ${parts.join('. ')}. Use the arrow keys to read values${this.options.onPick ? ', Enter for the rows of a step' : ''}, plus and minus to zoom.`,
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
    else if (event.key === 'Enter' && this.options.onPick) this.pick();
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

  /** Title, whole legend and plot at a size of their own, whatever the size on the screen. */
  private async exportPng(): Promise<void> {
    const { width, height, scale, padding, line } = PNG;
    // uPlot's canvas has the pixels of the screen.
    const zoom = scale / devicePixelRatio;
    const inner = { width: (width - 2 * padding) * zoom, height: height * zoom };
    const plot = new uPlot(this.uplotOptions(inner, zoom), this.thinned((width - 2 * padding) * scale), h('div'));
    // It draws in a microtask.
    await Promise.resolve();
    const canvas = h('canvas', { width: width * scale });
    const context = canvas.getContext('2d')!;
    const font = (style: string, size: number) =>
      (context.font = `${style} ${size * scale}px ${themeColor('--vscode-font-family')}`);
    font('', 12);
    const swatch = 18 * scale;
    const widthOf = (label: string) => swatch + context.measureText(label).width + 18 * scale;
    const lines = inLines(this.series, ({ label }) => widthOf(label), (width - 2 * padding) * scale);
    const top = padding + 1.5 * line + lines.length * line;
    // Setting the size resets the context.
    canvas.height = (top + height + padding) * scale;
    context.fillStyle = themeColor('--vscode-editor-background');
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.textBaseline = 'middle';
    font('bold', 14);
    context.fillStyle = themeColor('--vscode-foreground');
    context.fillText(`${this.options.title}: ${this.options.subject()}`, padding * scale, (padding + line / 2) * scale);
    font('', 12);
    for (const [i, entries] of lines.entries()) {
      const middle = (padding + 1.5 * line + (i + 0.5) * line) * scale;
      let left = padding * scale;
      for (const { label, color, kind } of entries) {
        context.fillStyle = themeColor(color);
        if (kind === 'line') context.fillRect(left, middle - 1.5 * scale, 12 * scale, 3 * scale);
        else {
          context.beginPath();
          context.arc(left + 6 * scale, middle, 4 * scale, 0, 2 * Math.PI);
          context.fill();
        }
        context.fillStyle = themeColor('--vscode-foreground');
        context.fillText(label, left + swatch, middle);
        left += widthOf(label);
      }
    }
    context.drawImage(plot.ctx.canvas, padding * scale, top * scale);
    plot.destroy();
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

/** Breaks a row of items into lines that are at most `available` wide. */
function inLines<T>(items: readonly T[], widthOf: (item: T) => number, available: number): T[][] {
  const lines: T[][] = [];
  let left = 0;
  for (const item of items) {
    const width = widthOf(item);
    if (left < width || lines.length === 0) {
      lines.push([]);
      left = available;
    }
    lines.at(-1)!.push(item);
    left -= width;
  }
  return lines;
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
