// Figures of runs, spreads over seeds, Pareto fronts, and the entry to choose.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  chooseEntry,
  entryFigures,
  paretoFront,
  parseLimit,
  folderFigures,
  spreadOf,
  type EntryRun,
} from '../../../../extension/src/core/race/raceFigures.js';
import { initialRunState, reduceRun, type RunState } from '../../../../extension/src/core/runs/runState.js';
import { engineEventSchema, type EngineEvent } from '../../../../extension/src/protocol/engineEvent.js';
import { runConfigSchema } from '../../../../extension/src/protocol/runConfig.js';
import { finishedRun, unfinishedRun } from '../../../support/raceRuns.js';

const RUN = { model: 'm', dataset: { train: 'rows.jsonl' }, method: { peft_type: 'LORA' } };
const recorded = readFileSync(new URL('../../../fixtures/runs/pirate-lora.ndjson', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map(line => engineEventSchema.parse(JSON.parse(line)));
const stateOf = (events: readonly EngineEvent[]): RunState => events.reduce(reduceRun, initialRunState);

function figures(events: readonly EngineEvent[] | null, changes: Partial<EntryRun> = {}, training = {}) {
  const config = runConfigSchema.parse({ ...RUN, training });
  const state = events && stateOf(events);
  return folderFigures('/race/runs/a', { state, alive: false, config, score: 0.5, ...changes });
}

describe('figures of a run', () => {
  const completed = recorded.at(-1) as Extract<EngineEvent, { type: 'completed' }>;
  const started = recorded[0] as Extract<EngineEvent, { type: 'started' }>;

  it('are those of its events', () => {
    expect(figures(recorded)).toMatchObject({
      status: 'finished',
      run: '/race/runs/a',
      peft_type: 'LORA',
      trainable_parameters: started.trainable_parameters,
      validation_loss: completed.best_loss,
      score: 0.5,
      peak_rss_bytes: completed.peak_rss_bytes,
      train_seconds: completed.train_seconds,
      steps: completed.step,
      failure: null,
    });
  });

  it('have the loss of the kept weights: without load_best_model_at_end, that of the last step, if it was evaluated', () => {
    const last = recorded.findLast(event => event.type === 'evaluated')!;
    expect(last.step).toBe(completed.step);
    expect(figures(recorded, {}, { load_best_model_at_end: false }).validation_loss).toBe(last.loss);
    const without = recorded.filter(event => event !== last);
    expect(figures(without, {}, { load_best_model_at_end: false }).validation_loss).toBeNull();
  });

  it('say what the kept weights have forgotten, if that was measured', () => {
    expect(figures(recorded)).toMatchObject({ kl_from_base: null, general_loss: null });
    const measured = recorded.map(event =>
      event.type === 'evaluated'
        ? {
            ...event,
            // The recording is of version 0, which had no other metrics than these two.
            perplexity: undefined,
            token_accuracy: undefined,
            metrics: { kl_from_base: event.step / 100, general_loss: 2 + event.step / 100 },
          }
        : event,
    );
    const at = (step: number) => ({ kl_from_base: step / 100, general_loss: 2 + step / 100 });
    const { best_step: best } = completed;
    expect(figures(measured)).toMatchObject(at(best!));
    const last = measured.findLast(event => event.type === 'evaluated')!.step;
    expect(figures(measured, {}, { load_best_model_at_end: false })).toMatchObject(at(last));
    // The best step is not the last.
    const worse = measured.map(event => (event.type === 'completed' ? { ...event, best_step: 40 } : event));
    expect(figures(worse)).toMatchObject(at(40));
    expect(figures(measured.slice(0, -1))).toMatchObject({ kl_from_base: null, general_loss: null });
  });

  it('have the highest peak of all processes of a resumed run', () => {
    const lower = recorded.map(event => (event === completed ? { ...completed, peak_rss_bytes: 1 } : event));
    const steps = recorded.filter(event => event.type === 'step');
    expect(figures(lower).peak_rss_bytes).toBe(Math.max(...steps.map(step => step.rss_bytes)));
  });

  it('are missing for a run that has not finished', () => {
    const unfinished = { validation_loss: null, score: null, peak_rss_bytes: null, train_seconds: null };
    expect(figures(null)).toMatchObject({ ...unfinished, status: 'waiting', trainable_parameters: null });
    expect(figures(null, { alive: true })).toMatchObject({ status: 'running' });
    const begun = recorded.slice(0, 8);
    expect(figures(begun)).toMatchObject({ ...unfinished, status: 'interrupted' });
    expect(figures(begun, { alive: true })).toMatchObject({ ...unfinished, status: 'running' });
    const stopped = [...recorded.slice(0, -1), { ...completed, reason: 'stopped' as const }];
    expect(figures(stopped)).toMatchObject({ ...unfinished, status: 'interrupted' });
  });

  it('of a failed run have the reason; a cancelled one is continued', () => {
    const failed = { ...completed, type: 'failed' as const, step: 2, message: 'no space', last_checkpoint: null };
    const events = (code: 'bad_input' | 'cancelled') => [...recorded.slice(0, 8), { ...failed, code }];
    expect(figures(events('bad_input'))).toMatchObject({ status: 'failed', failure: 'no space' });
    const hinted = { ...failed, code: 'bad_input' as const, hint: 'Free some.' };
    expect(figures([...recorded.slice(0, 8), hinted])).toMatchObject({ failure: 'no space. Free some.' });
    expect(figures([{ ...failed, code: 'bad_input', seq: 0 }])).toMatchObject({
      status: 'failed',
      failure: 'no space',
    });
    expect(figures(events('cancelled'))).toMatchObject({ status: 'interrupted', failure: null });
  });
});

// Values of Python's statistics.fmean and statistics.stdev.
it.each([
  { values: [1.292, 1.36, 1.31], mean: 1.3206666666666667, std: 0.035232560697930196 },
  { values: [2, 2], mean: 2, std: 0 },
  { values: [1e9, 1e9 + 1, 1e9 + 2], mean: 1000000001, std: 1 },
  { values: [0.1, 0.2, 0.30000000000000004, 0.7], mean: 0.325, std: 0.26299556396765833 },
])('the spread of $values', ({ values, mean, std }) => {
  const spread = spreadOf(values)!;
  expect(spread.mean).toBeCloseTo(mean, 12);
  expect(spread.std).toBeCloseTo(std, 12);
  expect(spread).toMatchObject({ min: Math.min(...values), max: Math.max(...values), n: values.length });
});

it('one value has no deviation, no value no spread', () => {
  expect(spreadOf([3.5])).toEqual({ mean: 3.5, min: 3.5, max: 3.5, std: null, n: 1 });
  expect(spreadOf([])).toBeNull();
});

describe('an entry', () => {
  it('has spreads over its finished runs, in the order of the race', () => {
    const runs = [
      finishedRun('b', 1, { validation_loss: 1 }),
      finishedRun('b', 2, { validation_loss: 3 }),
      unfinishedRun('b', 3, { status: 'failed', failure: 'x' }),
      unfinishedRun('a', 1),
    ];
    const [b, a] = entryFigures(runs);
    expect(b).toMatchObject({ name: 'b', finished: 2, loss: { mean: 2, n: 2 }, score: null });
    expect(a).toMatchObject({ name: 'a', finished: 0, loss: null, parameters: null });
  });

  it('has no score if one of its runs has none', () => {
    const runs = [finishedRun('a', 1, { score: 0.5 }), finishedRun('a', 2)];
    expect(entryFigures(runs)[0]!.score).toBeNull();
    expect(entryFigures(runs.slice(0, 1))[0]!.score).toMatchObject({ mean: 0.5 });
  });
});

describe('a Pareto front', () => {
  const entries = (points: readonly (readonly [number, number])[], score = false) =>
    entryFigures(
      points.map(([cost, quality], i) =>
        finishedRun(`e${i}`, 1, {
          trainable_parameters: cost,
          ...(score ? { score: quality } : { validation_loss: quality }),
        }),
      ),
    );
  const front = (points: readonly (readonly [number, number])[], score = false) =>
    paretoFront(entries(points, score), score ? 'score' : 'loss', 'parameters').map(({ name }) => name);

  it('has the entries that no other one beats', () => {
    expect(
      front([
        [1, 5],
        [2, 4],
        [3, 4],
        [2, 6],
        [9, 1],
      ]),
    ).toEqual(['e0', 'e1', 'e4']);
    expect(
      front(
        [
          [1, 0.5],
          [2, 0.4],
          [3, 0.9],
        ],
        true,
      ),
    ).toEqual(['e0', 'e2']);
  });

  it('has both of two equal ones, and of two with the same cost the better one', () => {
    expect(
      front([
        [1, 1],
        [1, 1],
      ]),
    ).toEqual(['e0', 'e1']);
    expect(
      front([
        [1, 2],
        [1, 1],
      ]),
    ).toEqual(['e1']);
    expect(
      front([
        [2, 1],
        [1, 1],
      ]),
    ).toEqual(['e1']);
  });

  it('leaves out entries without figures', () => {
    expect(paretoFront(entryFigures([unfinishedRun('a', 1), finishedRun('b', 1)]), 'loss', 'seconds')).toHaveLength(1);
    expect(paretoFront(entryFigures([finishedRun('b', 1)]), 'score', 'seconds')).toEqual([]);
  });

  it('is never beaten, and everything else is', () => {
    const points = Array.from({ length: 60 }, (_, i) => [(i * 37) % 23, (i * 53) % 29] as const);
    const all = entries(points);
    const best = new Set(paretoFront(all, 'loss', 'parameters'));
    const beats = (a: (typeof all)[number], b: (typeof all)[number]) =>
      a.loss!.mean <= b.loss!.mean &&
      a.parameters!.mean <= b.parameters!.mean &&
      (a.loss!.mean < b.loss!.mean || a.parameters!.mean < b.parameters!.mean);
    for (const entry of all)
      expect(
        all.some(other => beats(other, entry)),
        entry.name,
      ).toBe(!best.has(entry));
  });
});

describe('the choice', () => {
  const NONE = { memoryBytes: null, seconds: null };
  const runs = [
    finishedRun('small', 1, { validation_loss: 1.2, trainable_parameters: 10 }),
    finishedRun('small', 2, { validation_loss: 1.0, trainable_parameters: 10, peak_rss_bytes: 900e6 }),
    finishedRun('large', 1, { validation_loss: 1.05, trainable_parameters: 100, train_seconds: 300 }),
    finishedRun('large', 2, { validation_loss: 0.95, trainable_parameters: 100, train_seconds: 300 }),
    finishedRun('worse', 1, { validation_loss: 2, trainable_parameters: 1 }),
    finishedRun('worse', 2, { validation_loss: 2, trainable_parameters: 1 }),
    unfinishedRun('never', 1),
  ];
  const choose = (limits: Partial<typeof NONE> | { memoryBytes: number } | { seconds: number }, of = runs) =>
    chooseEntry(entryFigures(of), { ...NONE, ...limits });

  it('is the lowest mean loss, with the smaller entries that no difference is shown to', () => {
    const choice = choose({})!;
    expect(choice).toMatchObject({ by: 'loss', chosen: { name: 'large' } });
    expect(choice.asGood.map(({ name }) => name)).toEqual(['small']);
  });

  it('stays under limits with every seed', () => {
    expect(choose({ seconds: 100 })!.chosen.name).toBe('small');
    expect(choose({ seconds: 100, memoryBytes: 600e6 })!.chosen.name).toBe('worse');
    expect(choose({ seconds: 60 })!.chosen.name).toBe('small');
    expect(choose({ seconds: 59 })).toBeNull();
    expect(choose({}, [unfinishedRun('never', 1)])).toBeNull();
  });

  it('isn’t an entry whose parameters are unknown, as of a damaged line of events', () => {
    const unknown = finishedRun('unknown', 1, { validation_loss: 0.1, trainable_parameters: null });
    expect(choose({}, [...runs, unknown])!.chosen.name).toBe('large');
    expect(choose({}, [unknown])).toBeNull();
  });

  it('goes by the score if all of the entries have one', () => {
    const scored = runs.map(run => ({ ...run, score: run.name === 'worse' ? 0.9 : 0.1 }));
    expect(choose({}, scored)).toMatchObject({ by: 'score', chosen: { name: 'worse' } });
    const some = scored.map(run => (run.name === 'small' ? { ...run, score: null } : run));
    expect(choose({}, some)).toMatchObject({ by: 'loss', chosen: { name: 'large' } });
  });
});

it('limits are written with their unit', () => {
  expect(['1GB', '800 MB', '1.5gb', '10min', '30 s', '2h'].map(parseLimit)).toEqual([
    { memoryBytes: 1e9 },
    { memoryBytes: 800e6 },
    { memoryBytes: 1.5e9 },
    { seconds: 600 },
    { seconds: 30 },
    { seconds: 7200 },
  ]);
  for (const text of ['', '1', 'GB', '-1GB', '1 TB', '1e9', '10 m', '1GB 10min'])
    expect(parseLimit(text), text).toBeNull();
});
