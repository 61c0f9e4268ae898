import { readFileSync } from 'node:fs';
import { describe, expect, it, test } from 'vitest';
import { engineEventSchema } from '../../../../extension/src/protocol/engineEvent.js';
import { initialRunState, queuedText, reduceRun, type RunState } from '../../../../extension/src/core/runs/runState.js';
import { VALIDATION_LOSS } from '../../../../extension/src/core/runs/bestMetric.js';
import {
  longFigure,
  roughDuration,
  runFigure,
  runPhase,
  runSeconds,
  shortFigure,
} from '../../../../extension/src/core/runs/runStatus.js';

const started = { ...initialRunState, started: {} as RunState['started'] };

test('a run without events is starting while its process is alive, else failed', () => {
  expect(runPhase(initialRunState, true)).toBe('starting');
  expect(runPhase(initialRunState, false)).toBe('failed');
});

test('a run that has not ended and has no process was interrupted', () => {
  for (const status of ['running', 'paused'] as const) {
    expect(runPhase({ ...started, status }, true)).toBe(status);
    expect(runPhase({ ...started, status }, false)).toBe('interrupted');
  }
});

test('an ended run keeps its status until a process continues it', () => {
  for (const status of ['completed', 'stopped', 'failed'] as const) {
    expect(runPhase({ ...started, status }, false)).toBe(status);
    expect(runPhase({ ...started, status }, true)).toBe('starting');
  }
});

test('a completed run whose process writes an export is exporting', () => {
  const exporting = {} as NonNullable<RunState['exporting']>;
  expect(runPhase({ ...started, status: 'completed', exporting }, true)).toBe('exporting');
  expect(runPhase({ ...started, status: 'completed', exporting }, false)).toBe('completed');
});

test('durations', () => {
  expect(runSeconds({ ...started, firstTime: '2026-01-01T00:00:00Z', lastTime: '2026-01-01T00:01:30Z' })).toBe(90);
  expect(runSeconds(initialRunState)).toBe(0);
  expect([0.2, 42, 600, 9000].map(roughDuration)).toEqual(['1 s', '42 s', '10 min', '2:30 h']);
});

const recordedRun = (name: string) =>
  readFileSync(new URL(`../../../fixtures/runs/${name}.ndjson`, import.meta.url), 'utf8')
    .trim()
    .split('\n')
    .map(line => engineEventSchema.parse(JSON.parse(line)));
const recorded = recordedRun('pirate-lora');
/** The loss after the last event that fits. */
const lossAfter = (fits: (event: (typeof recorded)[number]) => boolean) =>
  runFigure(recorded.slice(0, recorded.findLastIndex(fits) + 1).reduce(reduceRun, initialRunState));

test('a run is known by its validation loss once that was measured after a step, before by its training loss', () => {
  expect(runFigure(initialRunState)).toBeNull();
  expect(lossAfter(event => event.type === 'evaluated' && event.step === 0)).toBeNull();
  const early = lossAfter(event => event.type === 'step' && event.step === 10)!;
  expect(early).toMatchObject({ metric: { title: 'Training loss' }, step: 10 });
  expect(shortFigure(early)).toBe('train loss 2.798');
  const later = lossAfter(event => event.type === 'step' && event.step === 25)!;
  expect(later).toMatchObject({ metric: VALIDATION_LOSS, step: 20 });
  expect(longFigure(later)).toMatch(/^validation loss \d\.\d{3} at step 20$/);
});

test('a finished run is known by its best validation loss, a stopped one by its last', () => {
  const completed = recorded.at(-1)! as Extract<(typeof recorded)[number], { type: 'completed' }>;
  const before = recorded.slice(0, -1).reduce(reduceRun, initialRunState);
  const { best_step: step, best_loss: value } = completed;
  expect(runFigure(reduceRun(before, completed))).toEqual({ metric: VALIDATION_LOSS, step, value });
  expect(runFigure(reduceRun(before, { ...completed, reason: 'stopped' }))).toMatchObject({
    metric: VALIDATION_LOSS,
    step: 120,
  });
});

test('a run with another metric for its best model is known by that', () => {
  const events = recordedRun('pirate-metrics');
  const after = (count: number) => runFigure(events.slice(0, count).reduce(reduceRun, initialRunState))!;
  const evaluation = events.findLastIndex(event => event.type === 'evaluated' && event.step === 40);
  const { metrics } = events[evaluation] as Extract<(typeof events)[number], { type: 'evaluated' }>;
  expect(after(evaluation + 1)).toMatchObject({ metric: { name: 'rougeL' }, value: metrics['rougeL'], step: 40 });
  const { best_metric: value, best_step: step } = events.at(-1) as Extract<
    (typeof events)[number],
    { type: 'completed' }
  >;
  const finished = after(events.length);
  expect(finished).toMatchObject({ metric: { name: 'rougeL' }, value, step });
  expect(shortFigure(finished)).toBe(`ROUGE-L ${(100 * value!).toFixed(1)}%`);
  expect(longFigure(finished)).toBe(`ROUGE-L ${(100 * value!).toFixed(1)}% at step ${step}`);
});

describe('on a cluster', () => {
  const queued = { seq: 0, time: '2026-01-01T00:00:00Z', type: 'queued', nodes: 1 } as const;
  const waiting = reduceRun(initialRunState, {
    ...queued,
    wanted: { CPU: 4, memory: 8e9 },
    available: { CPU: 1, memory: 2e9 },
    total: { CPU: 2, memory: 16e9 },
  });

  it('a run that waits for workers is queued, and says for what', () => {
    expect(runPhase(waiting, true)).toBe('queued');
    expect(queuedText(waiting.queued!)).toBe(
      'Queued: wants 4 CPU (1 of 2 free), 8.0 GB of memory (2.0 GB of 16.0 GB free); the cluster doesn’t have that many',
    );
    expect(queuedText({ wanted: { CPU: 1 }, available: {}, total: { CPU: 2 } })).toBe(
      'Queued: wants 1 CPU (0 of 2 free)',
    );
    const failed = {
      seq: 1,
      time: queued.time,
      type: 'failed',
      step: 0,
      message: 'no',
      last_checkpoint: null,
    } as never;
    expect(runPhase(reduceRun(waiting, failed), true), 'a new process has not asked yet').toBe('starting');
  });

  it('a run that nothing follows is detached until it has ended', () => {
    expect(runPhase(waiting, false, true)).toBe('detached');
    expect(runPhase({ ...started, status: 'running' }, false, true)).toBe('detached');
    expect(runPhase({ ...started, status: 'running' }, true, true)).toBe('running');
    for (const status of ['completed', 'stopped', 'failed'] as const)
      expect(runPhase({ ...started, status }, false, true)).toBe(status);
  });
});
