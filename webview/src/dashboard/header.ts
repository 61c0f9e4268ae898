// The head of the dashboard: the run's name, status, progress, actions and figures.
import { deviceText } from '../../../extension/src/core/deviceText.js';
import { bytes, count, counted, dayAndTime, duration, figure, percent } from '../../../extension/src/core/units.js';
import { clusterCost, money } from '../../../extension/src/core/metrics/clusterCost.js';
import { metricValue } from '../../../extension/src/core/metrics/metricText.js';
import { metricOfRun, VALIDATION_LOSS } from '../../../extension/src/core/runs/bestMetric.js';
import { queuedText } from '../../../extension/src/core/runs/runState.js';
import { PHASE_LABELS, roughDuration, type RunPhase } from '../../../extension/src/core/runs/runStatus.js';
import type { RunAction, RunSnapshot, Steering } from '../../../extension/src/protocol/dashboardMessages.js';
import { fileName } from '../../../extension/src/core/fileName.js';
import { h, icon, setText } from '../shared/dom.js';
import { ProgressBar } from '../shared/progressBar.js';
import { button } from '../shared/toolkit.js';
import { FailureView, followButton, resumeButton } from './failure.js';
import { column, throughputOf, type RunColumns } from './runData.js';

const STATUS_ICONS: Record<RunPhase, string> = {
  starting: 'loading codicon-modifier-spin',
  running: 'sync codicon-modifier-spin',
  paused: 'debug-pause',
  exporting: 'sync codicon-modifier-spin',
  completed: 'pass',
  stopped: 'debug-stop',
  failed: 'error',
  interrupted: 'debug-disconnect',
  queued: 'clockface',
  detached: 'debug-disconnect',
};

/** The phases in which each command has an icon; runs that ended are resumed by a button with words. */
const AVAILABLE_IN: Record<Steering, readonly RunPhase[]> = {
  pause: ['running'],
  resume: ['paused'],
  save: ['running', 'paused'],
  stop: ['running', 'paused', 'starting', 'queued'],
};

const SHOWN_WARNINGS = 3;

export class DashboardHeader {
  readonly element: HTMLElement;
  private readonly name = h('h1');
  private readonly status = h('span', { class: 'status', role: 'status' });
  private readonly about = h('p', { class: 'muted' });
  private readonly progress = new ProgressBar('Steps');
  private readonly progressText = h('p', { class: 'muted number' });
  private readonly figures = h('dl', { class: 'figures' });
  private readonly warnings = h('ul', { class: 'notes', 'aria-label': 'Warnings' });
  private warningsFor = '';
  private readonly buttons: Readonly<Record<Steering, HTMLElement>>;
  private readonly next = h('div', { class: 'actions', role: 'group', 'aria-label': 'Use the result' });
  private readonly failure: FailureView;
  private nextFor = '';

  constructor(
    private readonly onSteer: (command: Steering) => void,
    private readonly onAct: (action: RunAction) => void,
  ) {
    const steer = (command: Steering, label: string, glyph: string) =>
      button({ label, icon: glyph, iconOnly: true, onClick: () => onSteer(command) });
    this.buttons = {
      // Named as the commands of the palette and the Runs view.
      pause: steer('pause', 'Pause Run', 'debug-pause'),
      resume: steer('resume', 'Resume Run', 'debug-continue'),
      save: steer('save', 'Save Checkpoint Now', 'save'),
      stop: steer('stop', 'Stop Run (saves the adapter)', 'debug-stop'),
    };
    this.failure = new FailureView({ onAct, onResume: () => onSteer('resume') });
    const log = button({ label: 'Open Run Log', icon: 'output', iconOnly: true, onClick: () => onAct('openLog') });
    const reveal = button({
      label: 'Reveal Run Folder',
      icon: 'folder-opened',
      iconOnly: true,
      onClick: () => onAct('reveal'),
    });
    this.element = h(
      'header',
      { class: 'head' },
      h(
        'div',
        { class: 'title' },
        this.name,
        this.status,
        h(
          'div',
          { class: 'toolbar', role: 'toolbar', 'aria-label': 'Run' },
          ...Object.values(this.buttons),
          log,
          reveal,
        ),
      ),
      this.about,
      this.progress.element,
      this.progressText,
      this.failure.element,
      this.next,
      this.figures,
      this.warnings,
    );
  }

  show(run: RunSnapshot, columns: RunColumns): void {
    const { status } = run;
    setText(this.name, run.name);
    if (this.status.dataset['status'] !== status) {
      this.status.dataset['status'] = status;
      this.status.replaceChildren(icon(STATUS_ICONS[status]), ` ${PHASE_LABELS[status]}`);
    }
    for (const [command, element] of Object.entries(this.buttons))
      element.hidden = !AVAILABLE_IN[command as Steering].includes(status);
    setText(this.about, aboutText(run));
    this.showProgress(run, columns);
    this.failure.show(run);
    this.showNext(run);
    this.showFigures(run, columns);
    this.showWarnings(run);
  }

  /** What to do with the result. A failed run has its own actions. */
  private showNext({ result, resumeStep, failure, status }: RunSnapshot): void {
    const isDetached = status === 'detached';
    const step = failure || isDetached ? null : resumeStep;
    const key = JSON.stringify([result, step, isDetached]);
    if (key === this.nextFor) return;
    this.nextFor = key;
    const act = (label: string, glyph: string, action: RunAction, secondary = true) =>
      button({ label, icon: glyph, secondary, onClick: () => this.onAct(action) });
    this.next.replaceChildren(
      ...(result
        ? [
            act('Try It', 'comment', 'try', false),
            act('Evaluate...', 'beaker', 'evaluate'),
            act('Rows by Loss', 'list-ordered', 'rowsByLoss'),
          ]
        : []),
      ...(result?.mergeable ? [act('Merge...', 'git-merge', 'merge')] : []),
      ...(result ? [act('Export...', 'export', 'export')] : []),
      ...(result ? [act('Train Further...', 'rocket', 'trainFurther'), act('Serve', 'broadcast', 'serve')] : []),
      ...(isDetached ? [followButton(() => this.onSteer('resume'))] : []),
      ...(step === null ? [] : [resumeButton(step, result !== null, () => this.onSteer('resume'))]),
    );
    this.next.hidden = this.next.childElementCount === 0;
  }

  private showProgress(run: RunSnapshot, columns: RunColumns): void {
    const total = run.started?.total_steps ?? 0;
    const step = run.currentStep;
    const speed = throughputOf(columns).at(-1) ?? NaN;
    const time = run.firstTime && run.lastTime ? (Date.parse(run.lastTime) - Date.parse(run.firstTime)) / 1000 : null;
    const active = run.status === 'running' || run.status === 'paused';
    const parts = [
      `Step ${count(step)} of ${count(total)}`,
      time !== null && (active || run.status === 'detached' ? `${duration(time)} so far` : `took ${duration(time)}`),
      active && run.secondsLeft !== null && `${roughDuration(run.secondsLeft)} left`,
      active && Number.isFinite(speed) && `${count(speed)} tokens/s`,
    ];
    const place = placeText(run);
    const progress = run.started && run.status !== 'queued' ? parts.filter(Boolean).join(' · ') : '';
    setText(this.progressText, [place, progress].filter(Boolean).join(' · '));
    this.progress.hidden = !run.started;
    this.progress.show(step, total);
  }

  /** The latest ones, which are also in the log. */
  private showWarnings({ log }: RunSnapshot): void {
    const all = log.filter(({ level }) => level === 'warning').map(({ text }) => text);
    const key = JSON.stringify(all);
    if (key === this.warningsFor) return;
    this.warningsFor = key;
    const more = all.length - SHOWN_WARNINGS;
    this.warnings.replaceChildren(
      ...all.slice(-SHOWN_WARNINGS).map(text => h('li', {}, icon('warning'), h('span', {}, text))),
      ...(more > 0 ? [h('li', { class: 'muted' }, `${counted(more, 'earlier warning')} in the log`)] : []),
    );
    this.warnings.hidden = all.length === 0;
  }

  private showFigures(run: RunSnapshot, columns: RunColumns): void {
    const { started, completed } = run;
    const hasValues = run.numSteps + run.numEvaluations > 0;
    this.figures.hidden = !started || (run.failure !== null && !hasValues);
    if (!started) return this.figures.replaceChildren();
    const losses = column(columns.steps, 'loss');
    const rss =
      completed?.peak_rss_bytes ?? column(columns.steps, 'rss_bytes').reduce((most, value) => Math.max(most, value), 0);
    const { trainable_parameters: trained, total_parameters: total, memory_estimate: memory } = started;
    this.figures.replaceChildren(
      item(
        'Training loss',
        losses.length ? figure(losses.at(-1)!) : '-',
        losses.length > 1 ? `from ${figure(losses[0]!)}` : '',
      ),
      validationItem(run, columns),
      item('Trained parameters', percent(trained / total), `${count(trained)} of ${count(total)}`),
      ...costItem(run, columns),
      item(
        run.workers ? 'Peak memory of a worker' : 'Peak memory of the process',
        rss ? bytes(rss) : '-',
        `${bytes(memory.total)} for model and step (estimated)` +
          (rss > memory.total ? ', the rest for the program' : ''),
      ),
    );
  }
}

/** What a run on a cluster waits for, or that nothing follows it. */
function placeText({ status, queued }: RunSnapshot): string {
  if (status === 'detached') return 'Its job goes on on the cluster, and nothing follows it here';
  return status === 'queued' && queued ? queuedText(queued) : '';
}

/** None without a price. */
function costItem({ pricePerHour, secondsLeft, completed }: RunSnapshot, { steps }: RunColumns): HTMLElement[] {
  const cost = clusterCost(pricePerHour, column(steps, 'step_ms'), completed ? 0 : secondsLeft);
  if (cost === null) return [];
  const whole = cost.whole === null || completed ? '' : `about ${money(cost.whole)} in all, `;
  return [item('Cost of the cluster', money(cost.spent), `${whole}at ${pricePerHour} per hour`)];
}

/** Method, model, dataset and machine. */
function aboutText({ started, status, method, model, dataset, firstTime }: RunSnapshot): string {
  const what = `${method} on ${fileName(started?.model ?? model)}`;
  if (!started)
    return [what, fileName(dataset), status === 'starting' && 'loading the model and the data...']
      .filter(Boolean)
      .join(' · ');
  return [
    what,
    `${fileName(dataset)}: ${count(started.train_rows)} rows`,
    deviceText(started.engine),
    started.engine.reason && `chosen because ${started.engine.reason}`,
    firstTime && `started ${dayAndTime(firstTime)}`,
  ]
    .filter(Boolean)
    .join(' · ');
}

/** The metric by which the best evaluation is chosen: by default, the validation loss. */
function validationItem(run: RunSnapshot, { evaluations }: RunColumns): HTMLElement {
  const { started, completed } = run;
  const metric = metricOfRun(run);
  const { title } = metric;
  const text = (value: number) => (metric.unit === 'share' ? metricValue(metric, value) : figure(value));
  const values = column(evaluations, metric.name);
  const steps = column(evaluations, 'step');
  if (values.length === 0)
    return item(title, '-', started!.validation_rows > 0 ? 'not measured yet' : 'no validation rows');
  const best = completed && (completed.best_metric ?? completed.best_loss);
  if (best === null && steps.at(-1) === 0) return item(title, text(values[0]!), 'before training');
  const where = best === null ? `at step ${steps.at(-1)}` : `best, at step ${completed!.best_step}`;
  const loss = completed?.best_loss ?? column(evaluations, VALIDATION_LOSS.name).at(-1)!;
  const withLoss = metric.name === VALIDATION_LOSS.name ? '' : `; validation loss ${figure(loss)}`;
  return item(title, text(best ?? values.at(-1)!), `${where}; from ${text(values[0]!)}${withLoss}`);
}

function item(label: string, value: string, note: string): HTMLElement {
  return h(
    'div',
    {},
    h('dt', { class: 'muted' }, label),
    h('dd', { class: 'number' }, h('b', {}, value), h('span', { class: 'muted' }, note)),
  );
}
