// The head of the dashboard: the run's name, status, progress, actions and figures.
import { bytes, count, duration, figure, percent } from '../../../extension/src/core/units.js';
import { PHASE_LABELS, roughDuration, type RunPhase } from '../../../extension/src/core/runs/runStatus.js';
import type { RunSnapshot } from '../../../extension/src/protocol/dashboardMessages.js';
import { h, icon, setText } from '../shared/dom.js';
import { button } from '../shared/toolkit.js';
import { column, type RunColumns } from './runData.js';

export type Steering = 'pause' | 'resume' | 'save' | 'stop' | 'continue';

const STATUS_ICONS: Record<RunPhase, string> = {
  starting: 'loading codicon-modifier-spin',
  running: 'sync codicon-modifier-spin',
  paused: 'debug-pause',
  completed: 'pass',
  stopped: 'debug-stop',
  failed: 'error',
  interrupted: 'debug-disconnect',
};

/** The phases in which each action is available. */
const AVAILABLE_IN: Record<Steering, readonly RunPhase[]> = {
  pause: ['running'],
  resume: ['paused'],
  save: ['running', 'paused'],
  stop: ['running', 'paused', 'starting'],
  continue: ['interrupted', 'stopped', 'failed'],
};

export class DashboardHeader {
  readonly element: HTMLElement;
  private readonly name = h('h1');
  private readonly status = h('span', { class: 'status', role: 'status' });
  private readonly about = h('p', { class: 'muted' });
  private readonly progress = h(
    'div',
    { class: 'progress', role: 'progressbar', 'aria-label': 'Steps', 'aria-valuemin': 0 },
    h('span'),
  );
  private readonly progressText = h('p', { class: 'muted number' });
  private readonly figures = h('dl', { class: 'figures' });
  private readonly failure = h('div', { class: 'problem', role: 'alert', hidden: true }, icon('error'), h('span'));
  private readonly buttons: Readonly<Record<Steering, HTMLElement>>;

  constructor(onSteer: (command: Steering) => void, onReveal: () => void) {
    const steer = (command: Steering, label: string, glyph: string) =>
      button({ label, icon: glyph, iconOnly: true, onClick: () => onSteer(command) });
    this.buttons = {
      // Named as the commands of the palette and the Runs view.
      pause: steer('pause', 'Pause Run', 'debug-pause'),
      resume: steer('resume', 'Continue Run', 'debug-continue'),
      continue: steer('continue', 'Resume Run (from the last checkpoint)', 'debug-restart'),
      save: steer('save', 'Save Checkpoint Now', 'save'),
      stop: steer('stop', 'Stop Run (saves the adapter)', 'debug-stop'),
    };
    const reveal = button({ label: 'Reveal Run Folder', icon: 'folder-opened', iconOnly: true, onClick: onReveal });
    this.element = h(
      'header',
      { class: 'head' },
      h(
        'div',
        { class: 'title' },
        this.name,
        this.status,
        h('div', { class: 'toolbar', role: 'toolbar', 'aria-label': 'Run' }, ...Object.values(this.buttons), reveal),
      ),
      this.about,
      this.progress,
      this.progressText,
      this.failure,
      this.figures,
    );
  }

  show(run: RunSnapshot, columns: RunColumns): void {
    const { status, started, failed } = run;
    setText(this.name, run.name);
    if (this.status.dataset['status'] !== status) {
      this.status.dataset['status'] = status;
      this.status.replaceChildren(icon(STATUS_ICONS[status]), ` ${PHASE_LABELS[status]}`);
    }
    for (const [command, element] of Object.entries(this.buttons))
      element.hidden = !AVAILABLE_IN[command as Steering].includes(status);
    const dataset = run.dataset.split(/[\\/]/).at(-1)!;
    setText(
      this.about,
      started
        ? [
            `${run.method} on ${started.model.split(/[\\/]/).at(-1)}`,
            `${dataset}: ${count(started.train_rows)} rows`,
            `${started.engine.backend} ${started.engine.library}, ${started.engine.device}, ${started.engine.threads} threads`,
          ].join(' · ')
        : 'Loading the model and the data...',
    );
    this.showProgress(run, columns);
    this.failure.hidden = !failed;
    setText(
      this.failure.lastElementChild!,
      failed ? `${failed.message}${failed.last_checkpoint ? `\nLast checkpoint: ${failed.last_checkpoint}` : ''}` : '',
    );
    this.showFigures(run, columns);
  }

  private showProgress(run: RunSnapshot, columns: RunColumns): void {
    const total = run.started?.total_steps ?? 0;
    const step = run.currentStep;
    const speed = column(columns.steps, 'tokens_per_second').at(-1);
    const time = run.firstTime && run.lastTime ? (Date.parse(run.lastTime) - Date.parse(run.firstTime)) / 1000 : null;
    const active = run.status === 'running' || run.status === 'paused';
    const parts = [
      `Step ${count(step)} of ${count(total)}`,
      time !== null && (active ? `${duration(time)} so far` : `took ${duration(time)}`),
      active && run.secondsLeft !== null && `${roughDuration(run.secondsLeft)} left`,
      active && speed !== undefined && `${count(speed)} tokens/s`,
    ];
    setText(this.progressText, run.started ? parts.filter(Boolean).join(' · ') : '');
    this.progress.hidden = !run.started;
    this.progress.setAttribute('aria-valuemax', String(total));
    this.progress.setAttribute('aria-valuenow', String(step));
    (this.progress.firstElementChild as HTMLElement).style.width = `${total ? (100 * step) / total : 0}%`;
  }

  private showFigures(run: RunSnapshot, columns: RunColumns): void {
    const { started, completed } = run;
    if (!started) return this.figures.replaceChildren();
    const losses = column(columns.steps, 'loss');
    const evaluations = column(columns.evaluations, 'loss');
    const evaluated = column(columns.evaluations, 'step');
    const best = completed?.best_loss ?? null;
    const rss =
      completed?.peak_rss_bytes ?? column(columns.steps, 'rss_bytes').reduce((most, value) => Math.max(most, value), 0);
    const { trainable_parameters: trained, total_parameters: total } = started;
    this.figures.replaceChildren(
      item(
        'Training loss',
        losses.length ? figure(losses.at(-1)!) : '-',
        losses.length > 1 ? `from ${figure(losses[0]!)}` : '',
      ),
      item(
        'Validation loss',
        evaluations.length ? figure(best ?? evaluations.at(-1)!) : '-',
        !evaluations.length
          ? started.validation_rows > 0
            ? 'not measured yet'
            : 'no validation rows'
          : best !== null
            ? `best, at step ${completed!.best_step}; from ${figure(evaluations[0]!)}`
            : evaluations.length === 1 && evaluated[0] === 0
              ? 'before training'
              : `at step ${evaluated.at(-1)}; from ${figure(evaluations[0]!)}`,
      ),
      item('Trained parameters', percent(trained / total), `${count(trained)} of ${count(total)}`),
      item('Peak memory', rss ? bytes(rss) : '-', `estimated ${bytes(started.memory_estimate.total)} per step`),
    );
  }
}

function item(label: string, value: string, note: string): HTMLElement {
  return h(
    'div',
    {},
    h('dt', { class: 'muted' }, label),
    h('dd', { class: 'number' }, h('b', {}, value), h('span', { class: 'muted' }, note)),
  );
}
