// A run as a person follows it: a bar with loss, speed, time left and memory on a terminal, lines elsewhere. Fed with
// the run's events only.
import { Presets, SingleBar } from 'cli-progress';
import type { EngineEvent } from '../../protocol/engineEvent.js';
import { metricsText } from '../../core/metrics/metricText.js';
import { bytes, count, duration, percent } from '../../core/units.js';

type Started = Extract<EngineEvent, { type: 'started' }>;
type Step = Extract<EngineEvent, { type: 'step' }>;

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ');
}

/** Lines that a run prints at most where there is no terminal. */
const MOST_LINES = 50;

export function runDisplay(): { show(event: EngineEvent): void; finish(): void } {
  const terminal = process.stderr.isTTY;
  const samples = new Map<string, { before: string; after: string }>();
  let started: Started | null = null;
  let bar: SingleBar | null = null;
  let stepMs = 0;
  let compiled = false;

  const finish = () => {
    bar?.stop();
    bar = null;
  };
  /** Prints above the bar. */
  const print = (text: string) => {
    finish();
    console.error(text);
  };

  const showStep = (event: Step, { total_steps: total }: Started) => {
    // Recent steps count more, so that the time left follows the machine's mood.
    // A step that made a graph first says nothing of the others.
    if (!compiled) stepMs = stepMs === 0 ? event.step_ms : 0.9 * stepMs + 0.1 * event.step_ms;
    compiled = false;
    const left = ((total - event.step) * (stepMs || event.step_ms)) / 1000;
    const figures =
      `loss ${event.loss.toFixed(3)}  ${count(event.tokens_per_second)} tokens/s  ` +
      `${duration(left)} left  ${bytes(event.rss_bytes)}`;
    if (!terminal) {
      const every = Math.ceil(total / MOST_LINES);
      if (event.step % every === 0 || event.step === total) console.error(`step ${event.step}/${total}  ${figures}`);
      return;
    }
    if (!bar) {
      bar = new SingleBar(
        { format: 'Training {bar} {value}/{total}  {figures}', hideCursor: true, barsize: 24, noTTYOutput: false },
        Presets.shades_classic,
      );
      bar.start(total, event.step, { figures });
    }
    bar.update(event.step, { figures });
  };

  const show = (event: EngineEvent): void => {
    switch (event.type) {
      case 'started': {
        started = event;
        const { engine, trainable_parameters: trainable, total_parameters: total } = event;
        print(
          [
            `${event.name}: ${event.model}, ${event.peft_type}`,
            `  engine   ${engine.backend} ${engine.library}, ${engine.device}, ${engine.threads} threads`,
            `  trains   ${count(trainable)} of ${count(total)} parameters (${percent(trainable / total)})`,
            `  rows     ${count(event.train_rows)} to train on, ${count(event.validation_rows)} held out`,
            `  steps    ${count(event.total_steps)}${event.resumed_from_step ? `, going on from ${event.resumed_from_step}` : ''}`,
            `  memory   about ${bytes(event.memory_estimate.total)} beside the program itself`,
          ].join('\n'),
        );
        break;
      }
      case 'step':
        if (started) showStep(event, started);
        break;
      case 'evaluated':
        print(
          `step ${event.step}  held-out loss ${event.loss.toFixed(4)}  ` +
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
      case 'completed': {
        const why = { finished: 'Done', early_stopping: 'Stopped early: no better any more', stopped: 'Stopped' };
        const best =
          event.best_loss === null
            ? ''
            : `, best held-out loss ${event.best_loss.toFixed(4)} at step ${event.best_step}`;
        print(
          `${why[event.reason]} after ${event.step} steps and ${duration(event.train_seconds)} of training${best}, ` +
            `${bytes(event.peak_rss_bytes)} at most`,
        );
        for (const [prompt, { before, after }] of samples)
          print(`\n${prompt}\n  before  ${oneLine(before)}\n  after   ${oneLine(after)}`);
        break;
      }
      case 'paused':
        print(`Paused after step ${event.step}`);
        break;
      case 'compiled':
        compiled = true;
        break;
      case 'frozen_layers_kept':
        print(
          `The ${event.layers} lowest layers are frozen: their output is computed once a row and kept ` +
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
