// The dashboard: one run in full, with other runs overlaid in its charts. Shows whole snapshots and whole columns; the
// runs shown and the smoothing are kept in the webview's state. Wired up by main.ts.
import { bytes, count, figure, percent } from '../../../extension/src/core/units.js';
import {
  exportFile,
  revealRun,
  showRuns,
  steerRun,
  type DashboardSnapshot,
  type RunSnapshot,
  type Savings,
} from '../../../extension/src/protocol/dashboardMessages.js';
import type { MetricInfo } from '../../../extension/src/protocol/engineEvent.js';
import { ChannelClosedError, type WebviewChannel } from '../../../extension/src/protocol/webviewChannel.js';
import { Chart, type ChartSeries, type Range } from '../shared/chart.js';
import { h, icon, setText } from '../shared/dom.js';
import { memoryBars } from '../shared/memoryBars.js';
import { ProblemBanner } from '../shared/schemaForm.js';
import { button, dropdown } from '../shared/toolkit.js';
import { DashboardHeader, type Steering } from './header.js';
import { column, RunData } from './runData.js';
import { SamplesView } from './samples.js';

/** State that survives hiding and reloading. */
export interface KeptView {
  folders: readonly string[];
  smoothing: number;
}

const RUN_COLORS = ['blue', 'yellow', 'green', 'purple', 'red'].map(name => `--vscode-charts-${name}`);

/** Which columns of a run a chart draws. */
interface ChartKind {
  title: string;
  format: (value: number) => string;
  formatTick?: (value: number) => string;
  curves: { table: 'steps' | 'evaluations'; key: string; label: string; color: string }[];
}

const LOSS_CHART: ChartKind = {
  title: 'Loss',
  format: figure,
  curves: [
    { table: 'steps', key: 'loss', label: 'training', color: '--vscode-charts-blue' },
    { table: 'evaluations', key: 'loss', label: 'validation', color: '--vscode-charts-yellow' },
  ],
};

/** The chart of a metric that the run's objective reports in addition to the loss. */
function metricChart({ name, title, unit }: MetricInfo): ChartKind {
  const share = { format: (value: number) => `${(100 * value).toFixed(1)}%`, formatTick: shareTick };
  return {
    title,
    ...(unit === 'share' ? share : { format: figure }),
    curves: [{ table: 'evaluations', key: name, label: 'validation', color: '--vscode-charts-yellow' }],
  };
}

function shareTick(value: number): string {
  return `${+(100 * value).toPrecision(3)}%`;
}

const STEP_CHARTS: readonly ChartKind[] = [
  {
    title: 'Learning rate',
    format: figure,
    curves: [{ table: 'steps', key: 'learning_rate', label: 'rate', color: '--vscode-charts-blue' }],
  },
  {
    title: 'Gradient norm',
    format: figure,
    curves: [{ table: 'steps', key: 'grad_norm', label: 'norm', color: '--vscode-charts-blue' }],
  },
  {
    title: 'Tokens per second',
    format: count,
    curves: [{ table: 'steps', key: 'tokens_per_second', label: 'tokens/s', color: '--vscode-charts-blue' }],
  },
  {
    title: 'Memory',
    format: bytes,
    formatTick: value => (value < 1e9 ? bytes(value) : `${(value / 1e9).toFixed(2)} GB`),
    curves: [{ table: 'steps', key: 'rss_bytes', label: 'resident', color: '--vscode-charts-blue' }],
  },
];

export class DashboardView {
  readonly element: HTMLElement;
  private readonly header = new DashboardHeader(
    command => void this.steer(command),
    () => this.main && this.channel.notify(revealRun, this.main.folder),
  );
  private readonly problem = new ProblemBanner();
  /** By title. */
  private readonly charts = new Map<string, Chart>();
  private readonly chartGrid = h('div', { class: 'charts' });
  private readonly data: RunData;
  private readonly samples = new SamplesView();
  private readonly overlays = h('ul', { class: 'overlays', 'aria-label': 'Runs shown' });
  private readonly compare = dropdown({ label: 'Compare with', onChange: folder => this.add(folder) });
  private readonly compareChoice = h('div', { class: 'choice' }, this.compare.element);
  private readonly smoothing = h('input', { type: 'range', min: 0, max: 0.99, step: 0.01, 'aria-label': 'Smoothing' });
  private readonly smoothingText = h('output', { class: 'number' });
  private readonly memory = h('section', { class: 'block', 'aria-label': 'Compared with full fine-tuning' });
  private readonly log = h('ol', { class: 'log number', tabindex: 0, 'aria-label': 'Log' });
  private readonly content: HTMLElement;
  private readonly empty: HTMLElement;
  private snapshot: DashboardSnapshot = { runs: [], others: [] };
  private shownLog = '';
  private shownMemory = '';

  constructor(
    private readonly channel: WebviewChannel,
    private readonly kept: KeptView,
    private readonly keep: (view: KeptView) => void,
  ) {
    this.data = new RunData(channel, () => this.draw());
    this.content = h(
      'div',
      { class: 'content' },
      this.controls(),
      this.chartGrid,
      this.samples.element,
      this.memory,
      h('section', { class: 'block', 'aria-label': 'Log' }, h('h2', {}, 'Log'), this.log),
    );
    this.empty = h(
      'div',
      { class: 'empty', hidden: true },
      icon('graph-line'),
      h('p', {}, 'This run no longer exists: its folder was deleted or moved.'),
      h('p', { class: 'muted' }, 'Choose another run in the Runs view.'),
    );
    this.element = h(
      'div',
      { class: 'dashboard' },
      this.header.element,
      this.problem.element,
      this.content,
      this.empty,
    );
    this.followTheme();
  }

  private controls(): HTMLElement {
    this.smoothing.value = String(this.kept.smoothing);
    this.smoothing.addEventListener('input', () => {
      this.kept.smoothing = Number(this.smoothing.value);
      this.keep(this.kept);
      this.draw();
    });
    return h(
      'div',
      { class: 'controls' },
      this.overlays,
      this.compareChoice,
      h('label', { class: 'smoothing' }, h('span', {}, 'Smoothing'), this.smoothing, this.smoothingText),
    );
  }

  /** A change of theme changes the class of the body and the style of the document. */
  private followTheme(): void {
    const observer = new MutationObserver(() => this.charts.forEach(chart => chart.retheme()));
    observer.observe(document.documentElement, { attributeFilter: ['style', 'class'] });
    observer.observe(document.body, { attributeFilter: ['class', 'data-vscode-theme-id'] });
  }

  show(snapshot: DashboardSnapshot): void {
    this.snapshot = snapshot;
    this.kept.folders = snapshot.runs.map(({ folder }) => folder);
    if (snapshot.runs.length > 0) this.keep(this.kept);
    this.empty.hidden = snapshot.runs.length > 0;
    this.content.hidden = this.header.element.hidden = snapshot.runs.length === 0;
    this.data.follow(snapshot.runs);
    this.showOverlays();
    this.draw();
  }

  showProblem(message: string): void {
    this.problem.show(message);
  }

  private get main(): RunSnapshot | undefined {
    return this.snapshot.runs[0];
  }

  private draw(): void {
    const { main } = this;
    if (!main) return;
    this.header.show(main, this.data.of(main.folder));
    setText(this.smoothingText, this.kept.smoothing.toFixed(2));
    const lastStep = Math.max(...this.snapshot.runs.map(({ currentStep }) => currentStep));
    for (const [kind, chart] of this.chartsOf(main)) {
      chart.show(this.seriesOf(kind), this.kept.smoothing, lastStep);
      // Without validation rows it would stay empty.
      chart.element.hidden = this.isOfEvaluations(kind) && this.snapshot.runs.every(hasNoValidation);
    }
    this.samples.show(main);
    this.showMemory(main);
    this.showLog(main);
  }

  /** The charts of a run, in order; updates the page where they differ from those shown. */
  private chartsOf({ metrics }: RunSnapshot): [ChartKind, Chart][] {
    const ofMetrics = metrics.filter(metric => !metric.follows_loss).map(metricChart);
    const shown = [LOSS_CHART, ...ofMetrics, ...STEP_CHARTS].map((kind): [ChartKind, Chart] => [
      kind,
      this.charts.get(kind.title) ?? this.makeChart(kind),
    ]);
    const elements = shown.map(([, { element }]) => element);
    const { children } = this.chartGrid;
    if (children.length !== elements.length || elements.some((element, i) => children[i] !== element))
      this.chartGrid.replaceChildren(...elements);
    return shown;
  }

  private makeChart({ title, format, formatTick }: ChartKind): Chart {
    const chart = new Chart({
      title,
      format,
      formatTick,
      syncGroup: 'steps',
      onExport: (name, content) => void this.export(name, content),
      onZoom: range => this.zoom(range),
    });
    this.charts.set(title, chart);
    return chart;
  }

  private seriesOf({ curves }: ChartKind): ChartSeries[] {
    const { runs } = this.snapshot;
    return runs.flatMap((run, i) =>
      curves.map(({ table, key, label, color }): ChartSeries => {
        const columns = this.data.of(run.folder)[table];
        return {
          label: runs.length > 1 ? (curves.length > 1 ? `${run.name} ${label}` : run.name) : label,
          group: run.folder,
          color: runs.length > 1 ? runColor(i) : color,
          x: column(columns, 'step'),
          y: column(columns, key),
          kind: table === 'steps' ? 'line' : 'points',
        };
      }),
    );
  }

  private isOfEvaluations({ curves }: ChartKind): boolean {
    return curves.every(({ table }) => table === 'evaluations');
  }

  private zoom(range: Range | null): void {
    for (const chart of this.charts.values()) chart.zoom(range);
  }

  private showOverlays(): void {
    const { runs, others } = this.snapshot;
    this.overlays.hidden = runs.length < 2;
    this.overlays.replaceChildren(
      ...runs.map((run, i) => {
        const swatch = h('span', { class: 'swatch', 'aria-hidden': 'true' });
        swatch.style.background = `var(${runColor(i)})`;
        const remove = button({
          label: `Remove ${run.name}`,
          icon: 'close',
          iconOnly: true,
          onClick: () => this.remove(run.folder),
        });
        return h('li', {}, swatch, run.name, remove);
      }),
    );
    this.compareChoice.hidden = others.length === 0;
    const choices = [
      { value: '', label: 'Compare with...' },
      ...others.map(({ folder, name }) => ({ value: folder, label: name })),
    ];
    if (JSON.stringify(choices) !== JSON.stringify(this.compare.choices)) this.compare.choices = choices;
    this.compare.value = '';
  }

  private add(folder: string): void {
    if (folder !== '') void this.ask(this.channel.request(showRuns, [...this.kept.folders, folder]));
  }

  private remove(folder: string): void {
    void this.ask(
      this.channel.request(
        showRuns,
        this.kept.folders.filter(each => each !== folder),
      ),
    );
  }

  private async steer(command: Steering): Promise<void> {
    if (this.main) await this.ask(this.channel.request(steerRun, { folder: this.main.folder, command }));
  }

  private async export(name: string, content: string | Uint8Array): Promise<void> {
    await this.ask(this.channel.request(exportFile, { name: `${this.main?.name ?? 'run'}-${name}`, content }));
  }

  /** Shows the host's error if the request fails. */
  private async ask(answer: Promise<unknown>): Promise<void> {
    try {
      await answer;
      this.problem.show(null);
    } catch (error) {
      if (!(error instanceof ChannelClosedError)) this.problem.show((error as Error).message);
    }
  }

  private showMemory({ started, savings, method }: RunSnapshot): void {
    const key = JSON.stringify([started?.memory_estimate, savings]);
    if (key === this.shownMemory) return;
    this.shownMemory = key;
    this.memory.hidden = !started;
    if (!started) return;
    const { trainable_parameters: trained, memory_estimate: memory } = started;
    const bars = [
      { label: method, memory },
      ...(savings?.full ? [{ label: 'Full fine-tuning', memory: savings.full }] : []),
      ...(savings ? [{ label: 'Inference', memory: savings.inference_bytes }] : []),
    ];
    this.memory.replaceChildren(
      h('h2', {}, 'Compared with full fine-tuning'),
      h('p', {}, savingsInWords(trained, memory.total, savings)),
      memoryBars({ bars, availableBytes: null }),
    );
  }

  private showLog({ folder, log }: RunSnapshot): void {
    const key = `${folder} ${log.at(-1)?.seq}`;
    if (key === this.shownLog) return;
    this.shownLog = key;
    const atEnd = this.log.scrollTop + this.log.clientHeight >= this.log.scrollHeight - 4;
    this.log.replaceChildren(
      ...log.map(({ time, level, text }) =>
        h(
          'li',
          { class: `log-${level}` },
          h('time', { class: 'muted', datetime: time }, new Date(time).toLocaleTimeString('en-GB')),
          level === 'info' ? icon('info') : icon(level),
          level === 'info' ? '' : h('span', { class: 'visually-hidden' }, level),
          h('span', {}, text),
        ),
      ),
    );
    if (atEnd) this.log.scrollTop = this.log.scrollHeight;
  }
}

function savingsInWords(trained: number, memoryBytes: number, savings: Savings | null): string {
  if (!savings?.full || savings.full_parameters === null) return `${count(trained)} parameters are trained.`;
  const parameters =
    trained < savings.full_parameters
      ? `${count(trained)} parameters are trained instead of ${count(savings.full_parameters)}: ` +
        `${percent(1 - trained / savings.full_parameters)} fewer.`
      : `All ${count(trained)} parameters are trained.`;
  const saved = savings.full.total - memoryBytes;
  if (saved === 0) return parameters;
  return `${parameters} A step takes an estimated ${bytes(Math.abs(saved))} ${saved > 0 ? 'less' : 'more'} memory.`;
}

function hasNoValidation({ started }: RunSnapshot): boolean {
  return started?.validation_rows === 0;
}

function runColor(index: number): string {
  return RUN_COLORS[index % RUN_COLORS.length]!;
}
