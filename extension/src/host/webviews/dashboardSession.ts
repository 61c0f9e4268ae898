// The host's side of one open dashboard: sends snapshots and columns of the runs' states, and controls runs. Its panel
// is in dashboard.ts. Imports no vscode, so that tests can run it.
import { peftTypeOf } from '../../core/runs/runFileKeys.js';
import { distinctName, distinctions, type Distinction } from '../../core/runs/runLabels.js';
import { currentStep, secondsLeft, type RunState } from '../../core/runs/runState.js';
import { runPhase } from '../../core/runs/runStatus.js';
import {
  actOnRun,
  cancelRows,
  dashboardChanged,
  exportFile,
  fetchSeries,
  listRows,
  openDashboard,
  openRow,
  quarantineRow,
  showRuns,
  steerRun,
  trainWithout,
  useExport,
  type DashboardSnapshot,
  type RunAction,
  type RunResult,
  type RunSnapshot,
  type Savings,
  type Series,
} from '../../protocol/dashboardMessages.js';
import type { SuiteResults } from '../../protocol/answers.js';
import type { RowOrder } from '../../protocol/rowLosses.js';
import type { WebviewChannel } from '../../protocol/webviewChannel.js';
import type { MetricColumns } from '../../core/runs/metricColumns.js';
import type { Certificate } from '../../protocol/certificate.js';
import type { Run, RunService } from '../services.js';
import { LatestWins } from './latestWins.js';
import { RowsList, type RowsEngine } from './listedRows.js';
import { textOf } from '../../core/forms/formField.js';

export interface DashboardSessionOptions {
  channel: WebviewChannel;
  runs: Pick<RunService, 'runs' | 'get' | 'onDidChange' | 'resume'>;
  /** Folders of the runs shown, the first in full. */
  folders: readonly string[];
  onFoldersChanged(folders: readonly string[]): void;
  methodTitle(peftType: string): string;
  /** Of the cluster on which it is trained; null if it isn't known. */
  pricePerHour(run: Run): number | null;
  /** What can be done with the run's result; null while there is none. */
  resultOf(run: Run): RunResult | null;
  /** Memory compared with full fine-tuning; null if it can't be estimated. */
  savings(run: Run): Promise<Savings | null>;
  /** What runs have answered to suites, compared; none if they can't be read. */
  suiteResults(folders: readonly string[]): Promise<SuiteResults>;
  /** The certificates of a run's exports, latest first. */
  certificates(run: Run): Certificate[];
  useExport(path: string, act: 'reveal' | 'copy'): void;
  /** Asks for a location and writes the file; null: the user cancelled. */
  exportFile(name: string, content: string | Uint8Array): Promise<string | null>;
  act(run: Run, action: RunAction): void;
  rows: RowsEngine & {
    openPlace(file: string, line: number): void;
    /** Starts the run again without the rows in quarantine. */
    trainWithout(run: Run): Promise<void>;
  };
}

const SNAPSHOT_INTERVAL_MS = 250;

interface Disposable {
  dispose(): unknown;
}

export class DashboardSession {
  private folders: readonly string[];
  private readonly changes = new LatestWins(() => this.sendSnapshot(), SNAPSHOT_INTERVAL_MS);
  readonly rows: RowsList;
  private readonly savings = new Map<string, Savings | null>();
  private suites: SuiteResults = [];
  /** Of the exports of the first run; read again when it has another event that is logged, or was exported elsewhere. */
  private exports: { key: string; certificates: Certificate[] } | null = null;
  private readonly listening: Disposable;
  private watched: Disposable[] = [];
  private distinctions: ReadonlyMap<string, Distinction> = new Map();

  constructor(private readonly options: DashboardSessionOptions) {
    const { channel, runs } = options;
    this.folders = options.folders;
    this.rows = new RowsList(options.rows, () => this.changes.request());
    channel.onRequest(openDashboard, () => {
      // A page that was hidden has missed what was answered meanwhile.
      void this.learnSuites();
      return this.snapshot();
    });
    channel.onRequest(fetchSeries, ({ folder, generation, fromStep, fromEvaluation }) =>
      seriesOf(this.run(folder).state(), generation, fromStep, fromEvaluation),
    );
    channel.onRequest(steerRun, async ({ folder, command }) => {
      const run = this.run(folder);
      if (command === 'resume' && !run.alive) await runs.resume(run);
      else run.send({ type: command });
    });
    channel.onRequest(showRuns, folders => this.show(folders));
    channel.onRequest(exportFile, ({ name, content }) => options.exportFile(name, content));
    channel.onNotification(actOnRun, ({ folder, action }) => options.act(this.run(folder), action));
    channel.onNotification(useExport, ({ folder, path, act }) => {
      if (options.certificates(this.run(folder)).some(each => each.path === path)) options.useExport(path, act);
    });
    channel.onNotification(listRows, request => this.rows.list(request));
    channel.onNotification(cancelRows, () => this.rows.cancel());
    channel.onNotification(openRow, ({ line }) => {
      const { file } = this.rows.shown ?? {};
      if (file) options.rows.openPlace(file, line);
    });
    channel.onRequest(quarantineRow, ({ hash, quarantined }) => this.rows.quarantine(hash, quarantined));
    channel.onRequest(trainWithout, ({ folder }) => options.rows.trainWithout(this.run(folder)));
    this.listening = runs.onDidChange(() => this.watch());
    this.watch();
  }

  /** Shows these runs over each other. */
  show(folders: readonly string[]): void {
    this.folders = [...new Set(folders)];
    this.options.onFoldersChanged(this.folders);
    this.watch();
    void this.learnSuites();
  }

  /** Reads again what runs have answered to suites. */
  async learnSuites(): Promise<void> {
    const { folders } = this;
    const suites = await this.options.suiteResults(folders);
    if (folders !== this.folders || JSON.stringify(suites) === JSON.stringify(this.suites)) return;
    this.suites = suites;
    this.changes.request();
  }

  /** A run has been exported. */
  learnExports(): void {
    this.exports = null;
    this.changes.request();
  }

  /** Lists the rows of the first run in an order. */
  listBy(order: RowOrder): void {
    this.rows.list({ folder: this.folders[0]!, list: order });
  }

  dispose(): void {
    this.rows.cancel();
    this.changes.dispose();
    this.listening.dispose();
    for (const each of this.watched) each.dispose();
    this.options.channel.dispose();
  }

  private run(folder: string): Run {
    const run = this.options.runs.get(folder);
    if (!run) throw new Error('This run no longer exists: its folder was deleted or moved.');
    return run;
  }

  private shown(): Run[] {
    return this.folders.map(folder => this.options.runs.get(folder)).filter(run => run !== undefined);
  }

  private watch(): void {
    for (const each of this.watched) each.dispose();
    this.distinctions = distinctions(this.options.runs.runs());
    const shown = this.shown();
    this.watched = shown.map(run => run.onDidChange(() => this.changes.request()));
    if (shown[0]) void this.learnSavings(shown[0]);
    this.changes.request();
  }

  private async learnSavings(run: Run): Promise<void> {
    if (this.savings.has(run.folder)) return;
    this.savings.set(run.folder, null);
    this.savings.set(run.folder, await this.options.savings(run));
    this.changes.request();
  }

  private sendSnapshot(): void {
    this.options.channel.notify(dashboardChanged, this.snapshot());
  }

  private snapshot(): DashboardSnapshot {
    const { runs } = this.options;
    return {
      runs: this.shown().map(run => this.snapshotOf(run)),
      others: runs
        .runs()
        .filter(({ folder }) => !this.folders.includes(folder))
        .map(run => ({ folder: run.folder, label: distinctName(run, this.distinctions) })),
      rows: this.rows.shown,
      suites: this.suites,
    };
  }

  private snapshotOf(run: Run): RunSnapshot {
    // A long run is shown as what it is, while its steps are still being read.
    const whole = run.glance();
    const { firstTime, lastTime, started, completed } = whole;
    const state = run.state();
    const { generation, steps, evaluations } = state;
    const { model, dataset } = run.config as { model?: unknown; dataset?: { train?: unknown } };
    return {
      folder: run.folder,
      name: run.name,
      label: distinctName(run, this.distinctions),
      status: runPhase(whole, run.alive, run.detached),
      generation,
      numSteps: steps.length,
      numEvaluations: evaluations.length,
      currentStep: currentStep(whole),
      secondsLeft: run.alive ? secondsLeft(whole) : null,
      firstTime,
      lastTime,
      model: textOf(model),
      dataset: textOf(dataset?.train),
      method: this.options.methodTitle(started?.peft_type ?? peftTypeOf(run.config)),
      metrics: [...whole.metrics],
      started,
      queued: whole.queued,
      workers: whole.workers,
      workerFigures: whole.workerFigures,
      restarts: [...state.restarts],
      pricePerHour: this.options.pricePerHour(run),
      completed,
      failure: run.failure(),
      resumeStep: run.resumeStep(),
      result: this.options.resultOf(run),
      samples: [...state.samples],
      checkpoints: [...state.checkpoints],
      log: [...state.log],
      savings: this.savings.get(run.folder) ?? null,
      exports: completed && run.folder === this.folders[0] ? this.certificatesOf(run, state) : [],
      failedExports: whole.failedExports.map(({ target, message, hint = null }) => ({ target, message, hint })),
    };
  }

  private certificatesOf(run: Run, { log }: RunState): Certificate[] {
    const key = `${log.length} ${run.folder}`;
    if (this.exports?.key !== key) this.exports = { key, certificates: this.options.certificates(run) };
    return this.exports.certificates;
  }
}

function seriesOf(state: RunState, generation: number, fromStep: number, fromEvaluation: number): Series {
  const same = generation === state.generation;
  return {
    generation: state.generation,
    steps: columnsFrom(state.steps, same ? fromStep : 0),
    evaluations: columnsFrom(state.evaluations, same ? fromEvaluation : 0),
  };
}

/** Copies, since sending a view would transfer the run's whole buffer. */
function columnsFrom<Keys extends string>(columns: MetricColumns<Keys>, from: number): Series['steps'] {
  return Object.fromEntries(columns.keys.map(key => [key, columns.column(key, from).slice()]));
}
