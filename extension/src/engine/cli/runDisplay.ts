// Displays a run from its events: a bar with loss, speed, time left and memory on a terminal, lines elsewhere. Called by the
// `train` command.
import type { EngineEvent } from '../../protocol/engineEvent.js';
import { metricsText } from '../../core/metrics/metricText.js';
import { bytes, count, duration, percent } from '../../core/units.js';
import { printNote, progressBar, type ProgressBar } from './print.js';

type EventOf<T extends EngineEvent['type']> = Extract<EngineEvent, { type: T }>;

/** Lines of steps that a run prints without a terminal, at most. */
const MAX_LINES = 50;

export function runDisplay(): { show(event: EngineEvent): void; finish(): void } {
  const terminal = process.stderr.isTTY;
  const samples = new Map<string, { before: string; after: string }>();
  let started: EventOf<'started'> | null = null;
  let bar: ProgressBar | null = null;
  let stepMs = 0;
  let compiled = false;

  const finish = () => {
    bar?.stop();
    bar = null;
  };
  /** Prints above the bar. */
  const print = (text: string) => {
    finish();
    printNote(text);
  };

  const showStep = (event: EventOf<'step'>, { total_steps: total }: EventOf<'started'>) => {
    // Recent steps weigh more, so that the time left follows changes of the machine's load. Steps that compiled a graph are
    // ignored.
    if (!compiled) stepMs = stepMs === 0 ? event.step_ms : 0.9 * stepMs + 0.1 * event.step_ms;
    compiled = false;
    const left = ((total - event.step) * (stepMs || event.step_ms)) / 1000;
    const figures =
      `loss ${event.loss.toFixed(3)}  ${count(event.tokens_per_second)} tokens/s  ` +
      `${duration(left)} left  ${bytes(event.rss_bytes)}`;
    if (!terminal) {
      const every = Math.ceil(total / MAX_LINES);
      if (event.step % every === 0 || event.step === total) printNote(`step ${event.step}/${total}  ${figures}`);
      return;
    }
    if (!bar) {
      bar = progressBar('Training {bar} {value}/{total}  {figures}', { barsize: 24, noTTYOutput: false });
      bar.start(total, event.step, { figures });
    }
    bar.update(event.step, { figures });
  };

  const show = (event: EngineEvent): void => {
    switch (event.type) {
      case 'started':
        started = event;
        print(startedText(event));
        break;
      case 'step':
        if (started) showStep(event, started);
        break;
      case 'evaluated':
        print(
          `step ${event.step}  validation loss ${event.loss.toFixed(4)}  ` +
            `${metricsText(started?.metrics ?? [], event.metrics)}${event.best ? '  (best)' : ''}`,
        );
        break;
      case 'sample': {
        const before = samples.get(event.prompt)?.before ?? event.text;
        samples.set(event.prompt, { before, after: event.text });
        break;
      }
      case 'warned':
        print(`warning: ${event.message}`);
        break;
      case 'completed':
        print(completedText(event));
        for (const [prompt, { before, after }] of samples)
          print(`\n${prompt}\n  before  ${oneLine(before)}\n  after   ${oneLine(after)}`);
        break;
      case 'paused':
        print(`Paused after step ${event.step}`);
        break;
      case 'compiled':
        compiled = true;
        break;
      case 'frozen_layers_kept':
        print(
          `The first ${event.layers} layers are frozen: their output is computed once per row and cached ` +
            `${event.on_disk ? 'on disk' : 'in memory'} (${bytes(event.bytes)})`,
        );
        break;
      case 'resumed':
      case 'checkpoint_saved':
      case 'failed':
        break;
    }
  };
  return { show, finish };
}

function startedText(event: EventOf<'started'>): string {
  const { engine, trainable_parameters: trainable, total_parameters: total, resumed_from_step: from } = event;
  return [
    `${event.name}: ${event.model}, ${event.peft_type}`,
    `  engine   ${engine.backend} ${engine.library}, ${engine.device}, ${engine.threads} threads`,
    `  trains   ${count(trainable)} of ${count(total)} parameters (${percent(trainable / total)})`,
    `  rows     ${count(event.train_rows)} for training, ${count(event.validation_rows)} for validation`,
    `  steps    ${count(event.total_steps)}${from ? `, resumed from ${from}` : ''}`,
    `  memory   about ${bytes(event.memory_estimate.total)} in addition to the program itself`,
  ].join('\n');
}

const ENDINGS: Record<EventOf<'completed'>['reason'], string> = {
  finished: 'Done',
  early_stopping: 'Stopped early (the validation loss no longer improves)',
  time_limit: 'Ended (the time is up)',
  stopped: 'Stopped',
};

function completedText({ reason, step, best_loss, best_step, ...event }: EventOf<'completed'>): string {
  const best = best_loss === null ? '' : `, best validation loss ${best_loss.toFixed(4)} at step ${best_step}`;
  return (
    `${ENDINGS[reason]} after ${step} steps and ${duration(event.train_seconds)} of training${best}, ` +
    `peak memory ${bytes(event.peak_rss_bytes)}`
  );
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ');
}
