// The dashboard: one run in full, with other runs overlaid in its charts. Shows whole snapshots and whole columns; the
// runs shown and the smoothing are kept in the webview's state. Wired up by main.ts.
import { savingsInWords } from '../../../extension/src/core/metrics/savingsText.js';
import { metricOfRun, VALIDATION_LOSS } from '../../../extension/src/core/runs/bestMetric.js';
import { THROUGHPUT_STEPS } from '../../../extension/src/core/metrics/throughput.js';
import { bytes, count, figure } from '../../../extension/src/core/units.js';
import {
  actOnRun,
  cancelRows,
  exportFile,
  listRows,
  openRow,
  quarantineRow,
  showRuns,
  steerRun,
  trainWithout,
  useExport,
  type DashboardSnapshot,
  type RunAction,
  type RunSnapshot,
  type Steering,
} from '../../../extension/src/protocol/dashboardMessages.js';
import type { MetricInfo } from '../../../extension/src/protocol/engineEvent.js';
import { ChannelClosedError, type WebviewChannel } from '../../../extension/src/protocol/webviewChannel.js';
import { Chart, type ChartSeries, type Range } from '../shared/chart.js';
import { h, icon, setText } from '../shared/dom.js';
import { memoryBars } from '../shared/memoryBars.js';
import { ProblemBanner } from '../shared/schemaForm.js';
import { button, dropdown } from '../shared/toolkit.js';
import { ComparisonView } from './comparison.js';
import { ExportsView } from './exports.js';
import { DashboardHeader } from './header.js';
import { RowsView } from './rows.js';
import { column, metricsBesideLoss, RunData, throughputOf, type RunColumns } from './runData.js';
import { SamplesView } from './samples.js';
import { WorkersView } from './workers.js';

/** State that survives hiding and reloading. */
export interface KeptView {
  folders: readonly string[];
  smoothing: number;
}

const RUN_COLORS = ['blue', 'yellow', 'green', 'purple', 'red'].map(name => `--vscode-charts-${name}`);

/** What a chart draws of a run. */
interface ChartKind {
  title: string;
  format: (value: number) => string;
  formatTick?: (value: number) => string;
  curves: Curve[];
}

interface Curve {
  table: 'steps' | 'evaluations';
  label: string;
  color: string;
  /** Whether smoothing shows more. */
  noisy?: boolean;
  values(columns: RunColumns): Float64Array;
  /** The key of the evaluations that it draws, which are marked where that is the run's metric. */
  evaluated?: string;
}

const BLUE = '--vscode-charts-blue';
const YELLOW = '--vscode-charts-yellow';

/** A column of the steps. */
function ofSteps(key: string, label: string): Curve {
  return { table: 'steps', label, color: BLUE, values: ({ steps }) => column(steps, key) };
}

/** A column of the evaluations. @param label the rows that it is of */
function ofEvaluations(key: string, label: string): Curve {
  return {
    table: 'evaluations',
    label,
    color: YELLOW,
    values: ({ evaluations }) => column(evaluations, key),
    evaluated: key,
  };
}

const LOSS_CHART: ChartKind = {
  title: 'Loss',
  format: figure,
  curves: [{ ...ofSteps('loss', 'training'), noisy: true }, ofEvaluations('loss', 'validation')],
};

const RESTARTED = 'workers started again';

/** The best evaluation so far; the engine marks each that is better than all before. */
function bestEvaluation({ evaluations }: RunColumns, key: string, format: ChartKind['format']): ChartSeries['mark'] {
  const at = column(evaluations, 'best').lastIndexOf(1);
  if (at < 0) return undefined;
  const [x, y] = [column(evaluations, 'step')[at]!, column(evaluations, key)[at]!];
  return { x, y, text: `best ${format(y)} at step ${x}` };
}

/** Of the charts that there are, the one whose curve shows which evaluation was best. */
function markedKey(run: RunSnapshot): string {
  const metric = metricOfRun(run);
  return metric.follows_loss ? VALIDATION_LOSS.name : metric.name;
}

/** The chart of a metric of evaluation in addition to the loss. */
function metricChart({ name, title, unit }: MetricInfo): ChartKind {
  const share = { format: (value: number) => `${(100 * value).toFixed(1)}%`, formatTick: shareTick };
  // Shares are of the validation rows; other numbers, those of forgetting, are of general text.
  return unit === 'share'
    ? { title, ...share, curves: [ofEvaluations(name, 'validation')] }
    : { title, format: figure, curves: [ofEvaluations(name, 'general text')] };
}

function shareTick(value: number): string {
  return `${+(100 * value).toPrecision(3)}%`;
}

const MEMORY_TICKS = (value: number) => (value < 1e9 ? bytes(value) : `${(value / 1e9).toFixed(2)} GB`);

const STEP_CHARTS: readonly ChartKind[] = [
  { title: 'Learning rate', format: figure, curves: [ofSteps('learning_rate', 'rate')] },
  { title: 'Gradient norm', format: figure, curves: [{ ...ofSteps('grad_norm', 'norm'), noisy: true }] },
  {
    title: 'Tokens per second',
    format: count,
    curves: [{ ...ofSteps('tokens_per_second', `mean of ${THROUGHPUT_STEPS} steps`), values: throughputOf }],
  },
  memoryChart('Memory of the process'),
];

/** The figure is that of one process: on a cluster, of the worker with the most. */
function memoryChart(title: string): ChartKind {
  return {
    title,
    format: bytes,
    formatTick: MEMORY_TICKS,
    curves: [ofSteps('rss_bytes', 'resident')],
  };
}

const CLUSTER_CHARTS = [...STEP_CHARTS.slice(0, -1), memoryChart('Memory of the largest worker')];

/** Only where a backend says what it holds. */
const GPU_CHART: ChartKind = {
  title: 'Memory of the GPU',
  format: bytes,
  formatTick: MEMORY_TICKS,
  curves: [ofSteps('gpu_bytes', 'buffers')],
};

export class DashboardView {
  readonly element: HTMLElement;
  private readonly header = new DashboardHeader(
    command => void this.steer(command),
    action => this.act(action),
  );
  private readonly problem = new ProblemBanner();
  /** By title. */
  private readonly charts = new Map<string, Chart>();
  /** Loss and metrics above the samples, the figures of steps below them. */
  private readonly resultCharts = h('div', { class: 'charts' });
  private readonly stepCharts = h('div', { class: 'charts' });
  private readonly waiting = h('p', { class: 'muted' }, 'The charts appear after the first step.');
  private readonly controls = h('div', { class: 'controls' });
  private readonly data: RunData;
  private readonly workers = new WorkersView();
  private readonly comparison = new ComparisonView();
  private readonly samples = new SamplesView();
  private readonly exports = new ExportsView((path, act) =>
    this.channel.notify(useExport, { folder: this.kept.folders[0]!, path, act }),
  );
  private readonly rows = new RowsView({
    onList: request => this.channel.notify(listRows, request),
    onCancel: () => this.channel.notify(cancelRows, undefined),
    onOpen: line => this.channel.notify(openRow, { line }),
    onQuarantine: (hash, quarantined) => void this.ask(this.channel.request(quarantineRow, { hash, quarantined })),
    onTrainWithout: folder => void this.ask(this.channel.request(trainWithout, { folder })),
  });
  private readonly overlays = h('ul', { class: 'overlays', 'aria-label': 'Runs shown' });
  private readonly compare = dropdown({ label: 'Compare with', onChange: folder => this.add(folder) });
  private readonly compareChoice = h('div', { class: 'choice' }, this.compare.element);
  private readonly smoothing = h('input', { type: 'range', min: 0, max: 0.99, step: 0.01, 'aria-label': 'Smoothing' });
  private readonly smoothingText = h('output', { class: 'number' });
  private readonly memory = h('section', { class: 'block', 'aria-label': 'Compared with full fine-tuning' });
  private readonly log = h('ol', { class: 'log number', tabindex: 0, 'aria-label': 'Log' });
  private readonly logSection = h('section', { class: 'block', 'aria-label': 'Log' }, h('h2', {}, 'Log'), this.log);
  private readonly content: HTMLElement;
  private readonly empty: HTMLElement;
  private snapshot: DashboardSnapshot = { runs: [], others: [], rows: null, suites: [] };
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
      this.controls,
      this.waiting,
      this.resultCharts,
      this.rows.element,
      this.comparison.element,
      this.samples.element,
      this.exports.element,
      this.workers.element,
      this.stepCharts,
      this.memory,
      this.logSection,
    );
    this.fillControls();
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

  private fillControls(): void {
    this.smoothing.value = String(this.kept.smoothing);
    this.smoothing.addEventListener('input', () => {
      this.kept.smoothing = Number(this.smoothing.value);
      this.keep(this.kept);
      this.draw();
    });
    this.controls.append(
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
    this.rows.show(snapshot.rows);
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
    for (const [kind, chart] of this.chartsOf(main)) chart.show(this.seriesOf(kind), this.kept.smoothing, lastStep);
    const hasValues = this.snapshot.runs.some(run => run.numSteps + run.numEvaluations > 0);
    this.controls.hidden = this.resultCharts.hidden = this.stepCharts.hidden = !hasValues;
    this.waiting.hidden = hasValues || main.failure !== null;
    this.comparison.show(this.snapshot, run => this.data.of(run.folder));
    this.samples.show(main);
    this.exports.show(main);
    this.workers.show(main);
    this.samples.element.hidden = main.samples.length === 0 && (main.failure !== null || !hasValues);
    this.showMemory(main);
    this.showLog(main);
  }

  /** The charts of a run, in order; updates the page where they differ from those shown. */
  private chartsOf({ metrics, workers }: RunSnapshot): [ChartKind, Chart][] {
    const ofMetrics = metricsBesideLoss(metrics).map(metricChart);
    const chartsIn = (grid: HTMLElement, kinds: readonly ChartKind[]) => {
      const charts = kinds.map(kind => this.charts.get(kind.title) ?? this.makeChart(kind));
      const { children } = grid;
      if (children.length !== charts.length || charts.some(({ element }, i) => children[i] !== element))
        grid.replaceChildren(...charts.map(({ element }) => element));
      return charts.map((chart, i): [ChartKind, Chart] => [kinds[i]!, chart]);
    };
    const isOnGpu = this.snapshot.runs.some(({ folder }) =>
      column(this.data.of(folder).steps, 'gpu_bytes').some(value => value > 0),
    );
    const ofSteps = workers === null ? STEP_CHARTS : CLUSTER_CHARTS;
    return [
      ...chartsIn(this.resultCharts, [LOSS_CHART, ...ofMetrics]),
      ...chartsIn(this.stepCharts, isOnGpu ? [...ofSteps, GPU_CHART] : ofSteps),
    ];
  }

  private makeChart({ title, format, formatTick }: ChartKind): Chart {
    const chart = new Chart({
      title,
      subject: () => this.snapshot.runs.map(({ label }) => label).join(', '),
      format,
      formatTick,
      syncGroup: 'steps',
      onExport: (name, content) => void this.export(name, content),
      onZoom: range => this.zoom(range),
      ...(title === LOSS_CHART.title && { onPick: step => this.listRowsOf(step) }),
    });
    this.charts.set(title, chart);
    return chart;
  }

  private seriesOf({ title, curves, format }: ChartKind): ChartSeries[] {
    const { runs } = this.snapshot;
    const isLoss = title === LOSS_CHART.title;
    return runs.flatMap((run, i) =>
      curves.map(({ table, label, color, noisy, values, evaluated }): ChartSeries => {
        const columns = this.data.of(run.folder);
        return {
          label: runs.length > 1 ? (curves.length > 1 ? `${run.label} ${label}` : run.label) : label,
          group: run.folder,
          color: runs.length > 1 ? runColor(i) : color,
          x: column(columns[table], 'step'),
          y: values(columns),
          kind: table === 'steps' ? 'line' : 'points',
          noisy: noisy ?? false,
          breaks: isLoss && table === 'steps' ? run.restarts.map(step => ({ x: step, text: RESTARTED })) : [],
          mark: evaluated === markedKey(run) ? bestEvaluation(columns, evaluated, format) : undefined,
        };
      }),
    );
  }

  /** The rows of the step at, or next after, a point of the main run: before the first step nothing was trained on. */
  private listRowsOf(x: number): void {
    const { main } = this;
    if (!main || main.numSteps === 0) return;
    const step = Math.min(Math.max(1, Math.round(x)), main.currentStep);
    this.channel.notify(listRows, { folder: main.folder, list: { step } });
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
          label: `Remove ${run.label}`,
          icon: 'close',
          iconOnly: true,
          onClick: () => this.remove(run.folder),
        });
        return h('li', {}, swatch, run.label, remove);
      }),
    );
    this.compareChoice.hidden = others.length === 0;
    const choices = [
      { value: '', label: 'Compare with...' },
      ...others.map(({ folder, label }) => ({ value: folder, label })),
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

  private act(action: RunAction): void {
    if (this.main) this.channel.notify(actOnRun, { folder: this.main.folder, action });
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
    const { trainable_parameters: trainedParameters, memory_estimate: memory } = started;
    const full =
      savings?.full && savings.full_parameters !== null
        ? { trainedParameters: savings.full_parameters, memory: savings.full }
        : null;
    const bars = [
      { label: method, memory },
      ...(savings?.full ? [{ label: 'Full fine-tuning', memory: savings.full }] : []),
      ...(savings ? [{ label: 'Inference', memory: savings.inference_bytes }] : []),
    ];
    this.memory.replaceChildren(
      h('h2', {}, 'Compared with full fine-tuning'),
      h('p', {}, savingsInWords({ trainedParameters, memory, full })),
      memoryBars({ bars, availableBytes: null }),
    );
  }

  private showLog({ folder, log, started }: RunSnapshot): void {
    // Before the start there is only the failure, which is shown above.
    this.logSection.hidden = log.length === 0 || !started;
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

function runColor(index: number): string {
  return RUN_COLORS[index % RUN_COLORS.length]!;
}
