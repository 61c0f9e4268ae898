// Displays a run from its events: a bar with loss, speed, time left and memory on a terminal, lines elsewhere. Called by the
// `train` command.
import type { EngineEvent, MetricInfo } from '../../protocol/engineEvent.js';
import { describeError } from '../../core/codedError.js';
import { metricName, metricsText, metricValue } from '../../core/metrics/metricText.js';
import { queuedText, workersText } from '../../core/runs/runState.js';
import { metricOfRun, stoppedEarly, VALIDATION_LOSS } from '../../core/runs/bestMetric.js';
import { bytes, count, counted, duration, percent } from '../../core/units.js';
import { printNote, progressBar, type ProgressBar } from './print.js';

type EventOf<T extends EngineEvent['type']> = Extract<EngineEvent, { type: T }>;

/** Lines of steps that a run prints without a terminal, at most. */
const MAX_LINES = 50;

export function runDisplay(): { show(event: EngineEvent): void; finish(): void } {
  const terminal = process.stderr.isTTY;
  const samples = new Map<string, { before: string | null; after: string }>();
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
      `${duration(left)} left  ${bytes(event.rss_bytes)}` +
      (event.gpu_bytes === undefined ? '' : `, GPU ${bytes(event.gpu_bytes)}`);
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
            `${metricsText(started?.metrics ?? [], event.metrics)}${event.best ? bestText(metricOf(started)) : ''}`,
        );
        break;
      case 'sample': {
        // A resumed run has no answers from before training.
        const before = event.step === 0 ? event.text : (samples.get(event.prompt)?.before ?? null);
        samples.set(event.prompt, { before, after: event.text });
        break;
      }
      case 'warned':
        print(`warning: ${event.message}`);
        break;
      case 'completed':
        print(completedText(event, metricOf(started)));
        for (const [prompt, { before, after }] of samples)
          print(`\n${prompt}${before === null ? '' : `\n  before  ${oneLine(before)}`}\n  after   ${oneLine(after)}`);
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
      case 'exported':
        print(`Exported ${event.place} (${bytes(event.bytes)})`);
        break;
      case 'export_failed':
        print(exportFailureText(event));
        break;
      case 'queued':
        print(queuedText(event));
        break;
      case 'workers':
        print(`  workers  ${workersText(event)}`);
        break;
      case 'exporting':
      case 'resumed':
      case 'checkpoint_saved':
      case 'failed':
        break;
    }
  };
  return { show, finish };
}

export function exportFailureText(event: EventOf<'export_failed'>): string {
  return `Export (${event.target}) failed: ${describeError(event)}`;
}

function startedText(event: EventOf<'started'>): string {
  const { engine, trainable_parameters: trainable, total_parameters: total, resumed_from_step: from } = event;
  return [
    `${event.name}: ${event.model}, ${event.peft_type}`,
    `  engine   ${engine.backend} ${engine.library}, ${engine.device}, ${engine.threads} threads${engine.reason ? ` (${engine.reason})` : ''}`,
    `  trains   ${count(trainable)} of ${count(total)} parameters (${percent(trainable / total)})`,
    `  rows     ${count(event.train_rows)} for training, ${count(event.validation_rows)} for validation`,
    `  steps    ${count(event.total_steps)}${from ? `, resumed from ${from}` : ''}`,
    `  memory   about ${bytes(event.memory_estimate.total)} in addition to the program itself`,
  ].join('\n');
}

function metricOf(started: EventOf<'started'> | null): MetricInfo {
  return metricOfRun({ started, metrics: started?.metrics ?? [] });
}

function bestText(metric: MetricInfo): string {
  return metric.name === VALIDATION_LOSS.name ? '  (best)' : `  (best ${metricName(metric)})`;
}

const ENDINGS: Record<Exclude<EventOf<'completed'>['reason'], 'early_stopping'>, string> = {
  finished: 'Done',
  time_limit: 'Ended (the time is up)',
  stopped: 'Stopped',
};

function completedText(event: EventOf<'completed'>, metric: MetricInfo): string {
  const { reason, step } = event;
  const ending = reason === 'early_stopping' ? stoppedEarly(metric) : ENDINGS[reason];
  return (
    `${ending} after ${counted(step, 'step')} and ${duration(event.train_seconds)} of training${bestFigures(event, metric)}, ` +
    `peak memory ${bytes(event.peak_rss_bytes)}`
  );
}

function bestFigures(event: EventOf<'completed'>, metric: MetricInfo): string {
  const { best_step: step, best_loss: lossAtBest, best_metric: value } = event;
  if (step === null || lossAtBest === null || value === null) return '';
  const loss = `validation loss ${lossAtBest.toFixed(4)}`;
  if (metric.name === VALIDATION_LOSS.name) return `, best ${loss} at step ${step}`;
  return `, best ${metricName(metric)} ${metricValue(metric, value)} at step ${step} (${loss})`;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ');
}
