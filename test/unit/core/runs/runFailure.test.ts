import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { runFailure } from '../../../../extension/src/core/runs/runFailure.js';
import { initialRunState, reduceRun } from '../../../../extension/src/core/runs/runState.js';
import { engineEventSchema, type EngineEvent } from '../../../../extension/src/protocol/engineEvent.js';

const recorded = readFileSync(new URL('../../../fixtures/runs/pirate-lora.ndjson', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map(line => engineEventSchema.parse(JSON.parse(line)));
const upTo = (step: number) =>
  recorded.slice(0, recorded.findIndex(event => event.type === 'step' && event.step === step) + 1);
const state = (events: readonly EngineEvent[]) => events.reduce(reduceRun, initialRunState);
const log = () => ['last line'];

test('a run that neither failed nor was interrupted has no failure, and its log is not read', () => {
  const unread = () => expect.fail('the log was read');
  for (const phase of ['starting', 'running', 'paused', 'completed', 'stopped'] as const)
    expect(runFailure(state(recorded), phase, unread)).toBeNull();
});

test('a failed event says what, where and what to change', () => {
  const failed: EngineEvent = {
    ...{ type: 'failed', seq: 0, time: '2026-01-01T00:00:00.000Z', step: 0, last_checkpoint: null },
    ...{ code: 'bad_input', message: 'must be positive', key: 'method.r', file: '/run.json', hint: 'Use 8.' },
  };
  expect(runFailure(state([failed]), 'failed', log)).toEqual({
    message: 'must be positive',
    hint: 'Use 8.',
    file: '/run.json',
    line: null,
    key: 'method.r',
    refusedForMemory: false,
    wantsLogin: false,
    log: ['last line'],
  });
});

test('a run whose estimate exceeds the free memory can be started anyway', () => {
  const failed: EngineEvent = {
    ...{ type: 'failed', seq: 0, time: '2026-01-01T00:00:00.000Z', step: 0, last_checkpoint: null },
    ...{ code: 'out_of_memory', message: 'this run needs about 30 GB of memory' },
  };
  expect(runFailure(state([failed]), 'failed', log)).toMatchObject({ refusedForMemory: true });
});

test('without one, what the log ends with as an error is the failure', () => {
  const lines = ['step 14', 'error: memory ran out', '  Lower the batch size.'];
  expect(runFailure(state(upTo(15)), 'interrupted', () => lines)).toMatchObject({
    message: 'memory ran out',
    hint: 'Lower the batch size.',
    log: lines,
  });
  expect(runFailure(state(upTo(15)), 'interrupted', () => ['error: crashed'])).toMatchObject({
    message: 'crashed',
    hint: null,
  });
});

test('without one, the failure says how far the run came', () => {
  expect(runFailure(state(upTo(15)), 'interrupted', log)?.message).toMatch(/ended after step 15 without a message/);
  expect(runFailure(initialRunState, 'failed', log)?.message).toMatch(/before the first step/);
});

test('a cluster that wants a login is recognized', () => {
  const failed: EngineEvent = {
    ...{ type: 'failed', seq: 0, time: '2026-01-01T00:00:00.000Z', step: 0, last_checkpoint: null },
    ...{ code: 'server_failed', message: '401', hint: 'The cluster wants a login: set RAY_AUTH_TOKEN.' },
  };
  expect(runFailure(state([failed]), 'failed', log)).toMatchObject({ wantsLogin: true });
});
