// The training loop: when it stops, what it keeps, and that a resumed run equals an uninterrupted one, bit for bit.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openBackend } from '../../../../extension/src/engine/backend/openBackend.js';
import { openSafetensors } from '../../../../extension/src/engine/files/safetensors.js';
import { readCheckpointState } from '../../../../extension/src/engine/training/checkpoint.js';
import { DivergedError } from '../../../../extension/src/engine/training/trainer.js';
import type { ControlCommand } from '../../../../extension/src/protocol/controlCommand.js';
import { inputErrorOf } from '../../../support/inputErrors.js';
import { eventsOf, randomRows, tinyRun as runTiny, type TinyRunOptions } from '../../../support/tinyRun.js';

/** By test/fixtures/training/recordBestModel.py. */
const recorded = JSON.parse(readFileSync('test/fixtures/training/bestModel.json', 'utf8')) as {
  cases: {
    values: number[];
    better: 'lower' | 'higher';
    patience: number;
    threshold: number;
    best: boolean[];
    without_improvement: number[];
    best_metric: number;
    best_step: number;
    stopped: boolean;
  }[];
};

const folders: string[] = [];
async function tinyRun(options: TinyRunOptions) {
  const result = await runTiny(options);
  folders.push(result.folder.path);
  return result;
}

/** Training makes the validation row likelier at first, then less likely: it ends differently from the training row. */
const CONTRARY = { train: [[1, 2, 3, 4, 5, 6]], validation: [[1, 2, 3, 40, 41, 42]] };

function savedTensors(path: string): Map<string, Float32Array> {
  const file = openSafetensors(path);
  const tensors = new Map([...file.tensors].map(([name, tensor]) => [name, tensor.readFloat32()]));
  file.close();
  return tensors;
}

beforeAll(async () => {
  await openBackend({ backend: 'tensorflow', threads: null, onWarning: () => {} });
});
afterEach(() => folders.splice(0).forEach(folder => rmSync(folder, { recursive: true, force: true })));

describe('a run', () => {
  it('learns its rows, with a step event every logging_steps and after the last step', async () => {
    const before = tf.memory().numTensors;
    const training = { num_train_epochs: 10, learning_rate: 0.02, logging_steps: 4, per_device_train_batch_size: 2 };
    const { outcome, events } = await tinyRun({ train: randomRows(6), training });
    const steps = eventsOf(events, 'step');
    expect(outcome).toMatchObject({ reason: 'finished', state: { step: steps.at(-1)!.step } });
    expect(steps.slice(0, -1).map(({ step }) => step % 4)).toEqual(steps.slice(0, -1).map(() => 0));
    expect(steps.at(-1)!.loss).toBeLessThan(0.8 * steps[0]!.loss);
    expect(steps.at(-1)!.num_tokens).toBe(10 * randomRows(6).flat().length);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('evaluates, samples and saves at the end of each epoch by default', async () => {
    const result = await tinyRun({
      train: randomRows(4),
      validation: randomRows(2, 9),
      packing: false,
      training: { num_train_epochs: 2, per_device_train_batch_size: 2 },
      samples: { prompts: ['a', 'b'] },
    });
    expect(eventsOf(result.events, 'evaluated').map(({ step }) => step)).toEqual([0, 2, 4]);
    expect(eventsOf(result.events, 'checkpoint_saved').map(({ step }) => step)).toEqual([2, 4]);
    const samples = eventsOf(result.events, 'sample').map(({ step, prompt }) => `${step}${prompt}`);
    expect(samples.slice(0, 6)).toEqual(['0a', '0b', '2a', '2b', '4a', '4b']);
  });

  it('draws dropout from its seed alone, and uses none in evaluations', async () => {
    const run = (seed: number, dropout: number) =>
      tinyRun({
        method: { peft_type: 'LORA', lora_dropout: dropout, init_lora_weights: false },
        // Without shuffling, only the dropout and the adapter's initial values depend on the seed.
        training: { max_steps: 3, seed, shuffle: false },
        validation: randomRows(2, 9),
      });
    const [a, again, other, without] = [await run(1, 0.5), await run(1, 0.5), await run(2, 0.5), await run(1, 0)];
    const losses = ({ events }: typeof a) => eventsOf(events, 'step').map(({ loss }) => loss);
    expect(losses(again)).toEqual(losses(a));
    expect(again.trained).toEqual(a.trained);
    expect(losses(other)).not.toEqual(losses(a));
    expect(losses(without)[0]).not.toBe(losses(a)[0]);
    const untrained = ({ events }: typeof a) => eventsOf(events, 'evaluated')[0]!.loss;
    expect(untrained(a)).toBe(untrained(without));
  });

  it('treats n micro-batches of b rows like one batch of n * b', async () => {
    const run = (batch: number, accumulation: number) =>
      tinyRun({
        packing: false,
        training: {
          max_steps: 4,
          shuffle: false,
          per_device_train_batch_size: batch,
          gradient_accumulation_steps: accumulation,
          learning_rate: 0.01,
        },
      });
    const [split, whole] = [await run(2, 3), await run(6, 1)];
    eventsOf(split.events, 'step').forEach(({ loss, grad_norm: norm }, i) => {
      const other = eventsOf(whole.events, 'step')[i]!;
      expect(loss / other.loss).toBeCloseTo(1, 5);
      expect(norm / other.grad_norm).toBeCloseTo(1, 4);
    });
  });
});

describe('a run that makes the model worse', () => {
  const warnings = ({ events }: { events: Parameters<typeof eventsOf>[0] }) =>
    eventsOf(events, 'warned').flatMap(({ code, message }) => (code === 'loss_rose' ? [message] : []));
  const training = { max_steps: 12, lr_scheduler_type: 'constant', load_best_model_at_end: false };

  const method = { peft_type: 'FULL' };

  it('finishes with a warning that says what helps', async () => {
    const run = await tinyRun({ method, train: randomRows(6), training: { ...training, learning_rate: 3 } });
    expect(run.outcome).toMatchObject({ reason: 'finished' });
    expect(warnings(run)).toHaveLength(1);
    const [, from, to] = /^the training loss rose from ([\d.]+) to ([\d.]+): .* learning_rate/.exec(warnings(run)[0]!)!;
    expect(Number(from)).toBeCloseTo(eventsOf(run.events, 'step')[0]!.loss, 3);
    expect(Number(to)).toBeGreaterThan(Number(from) + 0.5);
  });

  it('is judged by the validation loss if there is one, of the weights that are kept', async () => {
    const options = { ...CONTRARY, training: { ...training, learning_rate: 0.3, max_steps: 30, eval_steps: 2 } };
    const last = await tinyRun(options);
    const losses = eventsOf(last.events, 'evaluated').map(({ loss }) => loss);
    expect(warnings(last)).toEqual([
      expect.stringContaining(`validation loss rose from ${losses[0]!.toFixed(3)} to ${losses.at(-1)!.toFixed(3)}`),
    ]);
    const best = await tinyRun({ ...options, training: { ...options.training, load_best_model_at_end: true } });
    expect(Math.min(...losses.slice(1))).toBeLessThan(losses[0]! + 0.5);
    expect(warnings(best)).toEqual([]);
  });

  it('is also noticed after it was resumed', async () => {
    const options = { method, train: randomRows(6), training: { ...training, learning_rate: 3 } };
    let steps = 0;
    const stopAfterSix = (): ControlCommand[] => (steps++ === 6 ? [{ type: 'stop' }] : []);
    const begun = await tinyRun({ ...options, commands: stopAfterSix });
    expect(begun.outcome).toMatchObject({ reason: 'stopped', state: { step: 6 } });
    expect(warnings(begun)).toEqual([]);
    expect(warnings(await tinyRun({ ...options, folder: begun.folder, resume: true }))).toHaveLength(1);
  });

  it.each([
    ['higher', [0.1, 0.2], []],
    ['lower', [0.2, 0.1], [expect.stringContaining('validation loss rose')]],
    ['equal', [0.2, 0.2], [expect.stringContaining('validation loss rose')]],
  ])('is not worse for a run whose own metric got better: rougeL is %s after training', async (_, scores, expected) => {
    const [before, after] = scores as [number, number];
    const run = await tinyRun({
      ...CONTRARY,
      answerMetrics: evaluation => ({ rougeL: evaluation === 0 ? before : after }),
      training: {
        ...{ ...training, learning_rate: 0.3, max_steps: 30, eval_steps: 2 },
        metric_for_best_model: 'rougeL',
      },
    });
    expect(warnings(run)).toEqual(expected);
  });

  it('other runs end without the warning', async () => {
    expect(warnings(await tinyRun({ train: randomRows(6), training: { ...training, learning_rate: 0.01 } }))).toEqual(
      [],
    );
  });
});

describe('early stopping and the best checkpoint', () => {
  const training = { max_steps: 30, learning_rate: 0.3, lr_scheduler_type: 'constant', eval_steps: 2 };

  it('stops after early_stopping_patience evaluations without a better one and restores the best', async () => {
    const { outcome, events, folder, trained } = await tinyRun({
      ...CONTRARY,
      training: { ...training, early_stopping_patience: 3 },
    });
    const evaluations = eventsOf(events, 'evaluated').filter(({ step }) => step > 0);
    const best = evaluations.findLast(event => event.best)!;
    expect(best.loss).toBe(Math.min(...evaluations.map(({ loss }) => loss)));
    expect(outcome).toMatchObject({ reason: 'early_stopping', state: { best_step: best.step, best_loss: best.loss } });
    expect(outcome!.state.step).toBe(best.step + 6);
    expect(trained).toEqual(savedTensors(join(folder.checkpoint(best.step), 'trainable.safetensors')));
  });

  it('counts only losses that are lower by early_stopping_threshold', async () => {
    const { outcome, events } = await tinyRun({
      ...CONTRARY,
      training: { ...training, early_stopping_patience: 2, early_stopping_threshold: 100 },
    });
    expect(eventsOf(events, 'evaluated').map(({ best }) => best)).toEqual([false, true, false, false]);
    expect(outcome!.state.step).toBe(6);
  });

  it.each(recorded.cases.map(each => [each.values.join(' '), each.better, each.threshold, each] as const))(
    'of the values %s (%s is better, threshold %d) marks and ends as Transformers does',
    async (_, __, ___, { values, better, patience, threshold, ...expected }) => {
      const { outcome, events, folder, trained } = await tinyRun({
        ...CONTRARY,
        answerMetrics: evaluation => ({ rougeL: values[evaluation - 1] ?? 0 }),
        training: {
          ...{ max_steps: values.length, eval_steps: 1, save_total_limit: null },
          ...{ metric_for_best_model: 'rougeL', greater_is_better: better === 'higher' },
          ...{ early_stopping_patience: patience, early_stopping_threshold: threshold },
        },
      });
      const evaluations = eventsOf(events, 'evaluated').slice(1);
      expect(evaluations.map(({ best }) => best)).toEqual(expected.best);
      const counts = evaluations.map(
        ({ step }) => readCheckpointState(folder.checkpoint(step)).evaluations_without_improvement,
      );
      expect(counts).toEqual(expected.without_improvement);
      const { best_step: step, best_metric: value } = expected;
      const { loss } = evaluations[step - 1]!;
      expect(outcome).toMatchObject({
        reason: expected.stopped ? 'early_stopping' : 'finished',
        state: { step: expected.best.length, best_step: step, best_metric: value, best_loss: loss },
      });
      expect(trained).toEqual(savedTensors(join(folder.checkpoint(step), 'trainable.safetensors')));
    },
  );

  it.each([
    ['loss', null, 'lower'],
    ['eval_loss', null, 'lower'],
    ['loss', true, 'higher'],
    ['perplexity', null, 'lower'],
    ['token_accuracy', null, 'higher'],
    ['eval_token_accuracy', false, 'lower'],
    ['kl_from_base', null, 'lower'],
    ['general_loss', null, 'lower'],
    ['general_loss', true, 'higher'],
  ])('chooses by %s with greater_is_better %j: the first of the values that no other is %s than', async (...wanted) => {
    const [metric, greater, better] = wanted;
    const { outcome, events, folder, trained } = await tinyRun({
      ...CONTRARY,
      general: randomRows(3, 4),
      training: {
        ...training,
        ...{ max_steps: 12, metric_for_best_model: metric, greater_is_better: greater },
      },
    });
    const evaluations = eventsOf(events, 'evaluated').slice(1);
    const values = evaluations.map(({ loss, metrics }) => ({ loss, ...metrics })[metric.replace('eval_', '')]!);
    const best = better === 'higher' ? Math.max(...values) : Math.min(...values);
    const { step, loss } = evaluations[values.indexOf(best)]!;
    expect(outcome!.state).toMatchObject({ best_step: step, best_metric: best, best_loss: loss });
    expect(trained).toEqual(savedTensors(join(folder.checkpoint(step), 'trainable.safetensors')));
  });

  it('keeps the last weights without load_best_model_at_end', async () => {
    const { outcome, folder, trained } = await tinyRun({
      ...CONTRARY,
      training: { ...training, max_steps: 10, load_best_model_at_end: false },
    });
    expect(outcome!.state.best_step).toBeLessThan(10);
    expect(trained).toEqual(savedTensors(join(folder.checkpoint(10), 'trainable.safetensors')));
  });

  it.each([
    [1, 2],
    [2, 2],
    [3, 3],
    [null, 12],
  ])('with save_total_limit %j it keeps %i checkpoints: the latest, and always the best one', async (limit, kept) => {
    const { outcome, folder } = await tinyRun({
      ...CONTRARY,
      training: { ...training, max_steps: 12, save_steps: 1, save_total_limit: limit },
    });
    const best = outcome!.state.best_step!;
    const steps = folder.checkpointSteps();
    expect(best).toBeLessThan(9);
    expect(steps).toHaveLength(kept);
    expect(steps).toContain(best);
    expect(steps.at(-1)).toBe(12);
    expect(readdirSync(join(folder.path, 'checkpoints')).toSorted()).toEqual(
      steps.map(step => `step-${step}`).toSorted(),
    );
  });
});

describe('a time limit', () => {
  // Any step takes longer.
  const max_minutes = 1e-9;
  const rows = { train: randomRows(8), validation: randomRows(2, 9), packing: false };

  it('ends the run after the step in which the time is up, evaluated and saved', async () => {
    const { outcome, events, folder } = await tinyRun({
      ...rows,
      training: { max_minutes, eval_steps: 50, save_steps: 50 },
    });
    expect(outcome).toMatchObject({ reason: 'time_limit', state: { step: 1, best_step: 1 } });
    expect(eventsOf(events, 'evaluated').map(({ step }) => step)).toEqual([0, 1]);
    expect(folder.checkpointSteps()).toEqual([1]);
  });

  it('is over for a run that is resumed, until it is raised', async () => {
    const { folder } = await tinyRun({ ...rows, training: { max_minutes, num_train_epochs: 2 } });
    const again = await tinyRun({ ...rows, training: { max_minutes, num_train_epochs: 2 }, folder, resume: true });
    expect(again).toMatchObject({ resumedFrom: 1, outcome: { reason: 'time_limit', state: { step: 1 } } });
    const raised = await tinyRun({ ...rows, training: { max_minutes: 60, num_train_epochs: 2 }, folder, resume: true });
    expect(raised.outcome).toMatchObject({ reason: 'finished', state: { step: 4 } });
  });

  it('brings the learning rate to its end in time', async () => {
    const training = { learning_rate: 1, lr_scheduler_type: 'linear', num_train_epochs: 5 };
    const { folder } = await tinyRun({ ...rows, training: { ...training, max_steps: 2 } });
    // 90% of the time is up after these two of ten steps.
    const { train_seconds: seconds } = readCheckpointState(folder.checkpoint(2));
    const { events } = await tinyRun({
      ...rows,
      training: { ...training, max_minutes: seconds / 60 / 0.9 },
      folder,
      resume: true,
    });
    expect(eventsOf(events, 'step')[0]).toMatchObject({ step: 3, learning_rate: expect.closeTo(0.1, 9) });
  });
});

describe('an evaluation that another run has made', () => {
  const evaluation = { loss: 3.25, metrics: { perplexity: 25.79 }, numLabelTokens: 10 };
  const rows = { train: randomRows(4), validation: randomRows(2, 9), training: { max_steps: 1 } };

  it('is used before the first step instead of a new one, and said to be', async () => {
    const kept: unknown[] = [];
    const { events } = await tinyRun({ ...rows, known: { read: () => evaluation, keep: value => kept.push(value) } });
    const [first, second] = eventsOf(events, 'evaluated');
    expect(first).toMatchObject({
      step: 0,
      loss: 3.25,
      metrics: evaluation.metrics,
      num_label_tokens: 10,
      cached: true,
    });
    expect(second).toMatchObject({ step: 1 });
    expect(second).not.toHaveProperty('cached');
    expect(kept).toEqual([]);
  });

  it('is kept for others once it was made, and only that before the first step', async () => {
    const kept: { loss: number }[] = [];
    const { events } = await tinyRun({ ...rows, known: { read: () => null, keep: value => kept.push(value) } });
    const [first] = eventsOf(events, 'evaluated');
    expect(kept.map(({ loss }) => loss)).toEqual([first!.loss]);
    expect(first).not.toHaveProperty('cached');
  });
});

describe('a run with non-finite values', () => {
  const isFinite = (tensors: Map<string, Float32Array>) => [...tensors.values()].every(t => t.every(Number.isFinite));

  it('stops on a NaN weight before it changes anything', async () => {
    const { error, events, trained } = await tinyRun({
      training: { max_steps: 5 },
      prepare: model =>
        tf.tidy(() => {
          const weight = model.weight('model.norm.weight');
          (weight as tf.Variable).dataSync();
          model.release('model.norm.weight');
          (model as unknown as { weights: Map<string, tf.Tensor> }).weights.set(
            'model.norm.weight',
            tf.keep(tf.fill([16], NaN)),
          );
        }),
    });
    expect(error).toBeInstanceOf(DivergedError);
    expect(error).toMatchObject({ step: 1, lastCheckpoint: null });
    // Nothing was trained yet: a lower learning rate can't help.
    expect((error as Error).message).toMatch(/weights of the base model.*are damaged/);
    expect((error as Error).message).not.toMatch(/learning_rate/);
    expect(eventsOf(events, 'step')).toEqual([]);
    expect(isFinite(trained)).toBe(true);
  });

  it.each([1e38, 1e300])('with a learning rate of %f it keeps only finite checkpoints', async rate => {
    const { error, folder, events } = await tinyRun({
      train: randomRows(8),
      validation: randomRows(2, 9),
      training: {
        max_steps: 8,
        learning_rate: rate,
        lr_scheduler_type: 'constant_with_warmup',
        // The learning rate of the first step is 0, so that there is a good checkpoint.
        warmup_steps: 1,
        save_steps: 1,
        eval_steps: 1,
        save_total_limit: 1,
      },
    });
    expect(error).toBeInstanceOf(DivergedError);
    const { lastCheckpoint, step } = error as DivergedError;
    expect(step).toBeLessThanOrEqual(3);
    expect(existsSync(join(folder.path, lastCheckpoint!, 'state.json'))).toBe(true);
    for (const saved of folder.checkpointSteps())
      expect(isFinite(savedTensors(join(folder.checkpoint(saved), 'trainable.safetensors')))).toBe(true);
    expect(folder.checkpointSteps()).toContain(1);
    // JSON has no Infinity and no NaN: such an event would be read back as null.
    for (const event of events)
      for (const value of Object.values(event)) if (typeof value === 'number') expect(value).toSatisfy(Number.isFinite);
  });
});

describe('resuming', () => {
  let whole: Awaited<ReturnType<typeof tinyRun>> | undefined;
  const options = {
    method: { peft_type: 'LORA', lora_dropout: 0.3, target_modules: 'all-linear' },
    train: randomRows(40),
    validation: randomRows(3, 9),
    training: {
      max_steps: 10,
      learning_rate: 0.01,
      warmup_steps: 2,
      weight_decay: 0.1,
      per_device_train_batch_size: 2,
      gradient_accumulation_steps: 2,
      eval_steps: 3,
      save_steps: 5,
    },
  } satisfies TinyRunOptions;
  const figures = (events: Parameters<typeof eventsOf>[0]) => [
    ...eventsOf(events, 'step').map(({ step, loss, grad_norm, learning_rate, num_tokens, epoch }) => ({
      step,
      loss,
      grad_norm,
      learning_rate,
      num_tokens,
      epoch,
    })),
    ...eventsOf(events, 'evaluated').map(({ step, loss, metrics, best }) => ({ step, loss, metrics, best })),
  ];

  it.each([4, 5])('after a stop at step %i equals an uninterrupted run, bit for bit', async stopStep => {
    whole ??= await tinyRun(options);
    const stop = new AbortController();
    const first = await tinyRun({
      ...options,
      signal: stop.signal,
      onEvent: event => event.type === 'step' && event.step === stopStep && stop.abort(),
    });
    expect(first.outcome).toMatchObject({ reason: 'stopped', state: { step: stopStep } });
    const rest = await tinyRun({ ...options, folder: first.folder, resume: true });
    expect(rest.resumedFrom).toBe(stopStep);
    expect(figures([...first.events, ...rest.events])).toEqual(figures(whole.events));
    expect(rest.trained).toEqual(whole.trained);
    expect(rest.outcome!.state).toEqual({ ...whole.outcome!.state, train_seconds: expect.any(Number) });
  });

  it.each([2, 3, 5])('a run that chooses by a metric goes on with its best one after step %i', async stopStep => {
    const values = [0.5, 0.2, 0.6, 0.1, 0.55, 0.62, 0.3, 0.3, 0.3];
    const metrics = { metric_for_best_model: 'rougeL', early_stopping_patience: 3, early_stopping_threshold: 0.05 };
    const byMetric = { ...options, training: { ...options.training, ...metrics, eval_steps: 1, max_steps: 9 } };
    const score = (step: number) => ({ rougeL: values[step - 1] ?? 0 });
    const uninterrupted = await tinyRun({ ...byMetric, answerMetrics: score });
    expect(uninterrupted.outcome).toMatchObject({
      reason: 'early_stopping',
      state: { step: 6, best_step: 6, best_metric: 0.62, initial_metric: 0 },
    });
    const stop = new AbortController();
    const first = await tinyRun({
      ...byMetric,
      answerMetrics: score,
      signal: stop.signal,
      onEvent: event => event.type === 'step' && event.step === stopStep && stop.abort(),
    });
    const rest = await tinyRun({
      ...byMetric,
      answerMetrics: evaluation => score(first.outcome!.state.step + 1 + evaluation),
      folder: first.folder,
      resume: true,
    });
    expect(figures([...first.events, ...rest.events])).toEqual(figures(uninterrupted.events));
    expect(rest.trained).toEqual(uninterrupted.trained);
    expect(rest.outcome!.state).toEqual({ ...uninterrupted.outcome!.state, train_seconds: expect.any(Number) });
  });

  it('skips a checkpoint that a crash left unfinished', async () => {
    const first = await tinyRun({ ...options, training: { ...options.training, max_steps: 5 } });
    mkdirSync(first.folder.checkpoint(7), { recursive: true });
    mkdirSync(`${first.folder.checkpoint(8)}.partial`, { recursive: true });
    const rest = await tinyRun({ ...options, folder: first.folder, resume: true });
    expect(rest.resumedFrom).toBe(5);
    expect(eventsOf(rest.events, 'warned')).toMatchObject([
      {
        code: 'checkpoint_damaged',
        message: expect.stringMatching(/step-7 is damaged.*state\.json: the file is missing/),
      },
    ]);
  });

  it('refuses a checkpoint of another method and names the file', async () => {
    const first = await tinyRun({ ...options, training: { ...options.training, max_steps: 2 } });
    const error = await inputErrorOf(() =>
      tinyRun({ ...options, method: { peft_type: 'IA3' }, folder: first.folder, resume: true }),
    );
    expect(error.where).toContain('trainable.safetensors');
    expect(readCheckpointState(first.folder.checkpoint(2)).step).toBe(2);
    expect(readFileSync(join(first.folder.checkpoint(2), 'state.json'), 'utf8')).toContain('"step": 2');
  });
});

describe('commands', () => {
  it('save, pause, resume and stop', async () => {
    const queue: ControlCommand['type'][][] = [[], ['save'], ['pause'], [], ['resume'], ['stop']];
    const { outcome, events, folder } = await tinyRun({
      training: { max_steps: 50, save_steps: 50 },
      commands: () => (queue.shift() ?? []).map(type => ({ type }) as ControlCommand),
    });
    expect(outcome).toMatchObject({ reason: 'stopped', state: { step: 3 } });
    expect(events.map(event => `${event.type} ${'step' in event ? event.step : ''}`)).toEqual([
      'step 1',
      'checkpoint_saved 1',
      'step 2',
      'paused 2',
      'resumed 2',
      'step 3',
      'checkpoint_saved 3',
    ]);
    expect(folder.checkpointSteps()).toEqual([1, 3]);
  });
});
