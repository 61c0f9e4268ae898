// An evaluation seen from its page: what the engine prints as snapshots, its end, failures and cancellation.
import { expect, it, vi } from 'vitest';
import {
  EvaluationSession,
  type EvaluationSessionOptions,
} from '../../../../extension/src/host/webviews/evaluationSession.js';
import { EngineInputError } from '../../../../extension/src/host/services.js';
import {
  cancelEvaluation,
  evaluateAgain,
  evaluationChanged,
  openEvaluated,
  openEvaluation,
  type EvaluationState,
} from '../../../../extension/src/protocol/evaluationMessages.js';
import { WebviewChannel } from '../../../../extension/src/protocol/webviewChannel.js';
import type { EngineLine } from '../../../../extension/src/host/webviews/engineLines.js';
import { ports } from '../../../support/channelPorts.js';

const TARGET = { run: '/runs/a', step: null, dataset: '/data/a.jsonl', answers: true };
const REPORT = {
  ...{ loss: 2, perplexity: 7.4, token_accuracy: 0.5, exact_match: 0.5, num_label_tokens: 3, rows: 2 },
  worst: [
    { file: '/data/a.jsonl', line: 2, row: 0, loss: 3, tokens: ['b'], token_ids: [1], losses: [3], masked: [] },
    { file: '/data/a.jsonl', line: 1, row: 1, loss: 1, tokens: ['a'], token_ids: [2], losses: [1], masked: [] },
  ],
  answers: [
    { row: 0, line: 2, answer: 'x', expected: 'b', metrics: { exact_match: 0 } },
    { row: 2, line: 3, answer: 'c', expected: 'c', metrics: { exact_match: 1 } },
  ],
};

/** A session whose engine does as the test says. */
function started(state: EvaluationState | null = null) {
  const [hostPort, viewPort] = ports();
  const fail = (fault: string) => {
    throw new Error(fault);
  };
  const calls: { onLine(line: EngineLine): void; end(): void; fail(error: Error): void; cancelled: AbortSignal }[] = [];
  const openPlace = vi.fn<EvaluationSessionOptions['openPlace']>();
  const session = new EvaluationSession({
    channel: new WebviewChannel(hostPort, fail),
    shown: { target: TARGET, name: 'a', state },
    evaluate: (onLine, cancelled) =>
      new Promise((end, fail) => {
        calls.push({ onLine, end, fail, cancelled });
        cancelled.addEventListener('abort', () => fail(new Error('ended by a signal')));
      }),
    openPlace,
  });
  const view = new WebviewChannel(viewPort, fail);
  const states: EvaluationState[] = [];
  view.onNotification(evaluationChanged, snapshot => void states.push(snapshot.state));
  return { session, view, states, calls, openPlace };
}

it('passes on progress, and the result with the answers to the worst rows only', async () => {
  const { session, view, states, calls } = started();
  expect(await view.request(openEvaluation, undefined)).toEqual({
    target: TARGET,
    name: 'a',
    state: { kind: 'running', phase: null, share: null },
  });
  calls[0]!.onLine({ type: 'progress', phase: 'answer', done: 1, total: 4 });
  expect(session.state).toEqual({ kind: 'running', phase: 'answer', share: 0.25 });
  calls[0]!.onLine({ type: 'warning', message: 'one row left out' });
  calls[0]!.onLine(REPORT);
  calls[0]!.end();
  await vi.waitFor(() => expect(states.at(-1)).toMatchObject({ kind: 'completed' }));
  expect(states.at(-1)).toMatchObject({
    result: {
      scores: { loss: 2, exact_match: 0.5, rows: 2 },
      answered: 2,
      exact: 1,
      worst: [
        { line: 2, answer: { answer: 'x' } },
        { line: 1, answer: null },
      ],
      warnings: ['one row left out'],
    },
  });
});

it('has message, hint and place of an error, and says if the engine printed no result', async () => {
  const { session, view, calls } = started();
  calls[0]!.fail(
    new EngineInputError({ code: 'bad_input', message: 'no', hint: 'Do.', file: '/data/a.jsonl', line: 3 }),
  );
  await vi.waitFor(() => expect(session.state.kind).toBe('failed'));
  expect(session.state).toMatchObject({ failure: { message: 'no', hint: 'Do.', file: '/data/a.jsonl', line: 3 } });
  view.notify(evaluateAgain, undefined);
  await vi.waitFor(() => expect(calls).toHaveLength(2));
  calls[1]!.end();
  await vi.waitFor(() => expect(session.state.kind).toBe('failed'));
  expect(session.state).toMatchObject({
    failure: { message: expect.stringContaining('without a result'), hint: null },
  });
});

it('ends the engine when it is cancelled or its tab is closed, and runs one at a time', async () => {
  const { session, view, calls } = started();
  view.notify(evaluateAgain, undefined);
  view.notify(cancelEvaluation, undefined);
  await vi.waitFor(() => expect(session.state).toEqual({ kind: 'cancelled' }));
  expect(calls).toHaveLength(1);
  view.notify(evaluateAgain, undefined);
  await vi.waitFor(() => expect(calls).toHaveLength(2));
  session.dispose();
  expect(calls.map(({ cancelled }) => cancelled.aborted)).toEqual([true, true]);
});

it('shows what a reload left without running the engine, and opens rows', async () => {
  const { view, calls, openPlace } = started({ kind: 'cancelled' });
  expect((await view.request(openEvaluation, undefined)).state).toEqual({ kind: 'cancelled' });
  expect(calls).toEqual([]);
  view.notify(openEvaluated, { file: '/data/a.jsonl', line: 2 });
  await vi.waitFor(() => expect(openPlace).toHaveBeenCalledWith('/data/a.jsonl', 2));
});
