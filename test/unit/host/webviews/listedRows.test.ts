// The list of rows: what is asked of the engine, in which order, and what is shown meanwhile, after a failure and after a cancel.
import { expect, test } from 'vitest';
import type { EngineLine } from '../../../../extension/src/host/webviews/engineLines.js';
import { RowsList } from '../../../../extension/src/host/webviews/listedRows.js';

const row = (line: number, now: number | null) => ({
  ...{ line, hash: `sha256:${line}`, text: `row ${line}`, label_tokens: 3 },
  ...{ then: 2, before: null, now, quarantined: false },
});
const place = { run: '/runs/a', file: '/data/a.jsonl', quarantine: '/data/a.jsonl.quarantine', weights: null };
const stepAnswer = (now: number | null) => ({
  ...place,
  ...{ step: 4, epoch: 1, rows: [1, 2].map(line => ({ ...row(line, now), micro_batch: 0, sequence: 0 })) },
});

interface Call {
  args: readonly string[];
  say(line: EngineLine): void;
  end(error?: Error): void;
}

function started() {
  const calls: Call[] = [];
  let changes = 0;
  const list = new RowsList(
    {
      rows: (args, onLine, cancelled) =>
        new Promise((resolve, reject) => {
          cancelled.addEventListener('abort', () => reject(new Error('cancelled')));
          calls.push({ args, say: onLine, end: error => (error ? reject(error) : resolve()) });
        }),
      quarantine: args => Promise.resolve(calls.push({ args, say: () => {}, end: () => {} })),
    },
    () => changes++,
  );
  return { list, calls, changes: () => changes };
}

const settled = () => new Promise(resolve => setTimeout(resolve));

test('rows of a step are shown before their losses are measured', async () => {
  const { list, calls } = started();
  list.list({ folder: '/runs/a', list: { step: 4 } });
  expect(list.shown).toMatchObject({ rows: null, progress: { phase: 'start', share: null } });
  calls[0]!.say({ type: 'progress', phase: 'tokenize', done: 1, total: 4 });
  expect(list.shown!.progress).toEqual({ phase: 'tokenize', share: 0.25 });
  calls[0]!.say(stepAnswer(null));
  calls[0]!.end();
  await settled();
  expect(list.shown).toMatchObject({ rows: [{ line: 1, then: 2, now: null }, { line: 2 }], file: '/data/a.jsonl' });
  calls[1]!.say({ type: 'warning', message: 'slow' });
  calls[1]!.say(stepAnswer(0.5));
  calls[1]!.end();
  await settled();
  expect(list.shown).toMatchObject({ rows: [{ now: 0.5 }, { now: 0.5 }], progress: null, failure: null });
  expect(calls.map(({ args }) => args.join(' '))).toEqual(['/runs/a --step 4', '/runs/a --step 4 --losses']);
});

test('what was measured before isn’t measured again', async () => {
  const { list, calls } = started();
  list.list({ folder: '/runs/a', list: { step: 4 } });
  calls[0]!.say(stepAnswer(0.5));
  calls[0]!.end();
  await settled();
  expect([calls.length, list.shown!.progress]).toEqual([1, null]);
});

test('a failure and a cancel leave the rows that are known', async () => {
  const { list, calls } = started();
  for (const [end, shown] of [
    [(call: Call) => call.end(new Error('no checkpoint yet')), { failure: 'no checkpoint yet', cancelled: false }],
    [() => list.cancel(), { failure: null, cancelled: true }],
  ] as const) {
    list.list({ folder: '/runs/a', list: { step: 4 } });
    calls.at(-1)!.say(stepAnswer(null));
    calls.at(-1)!.end();
    await settled();
    end(calls.at(-1)!);
    await settled();
    expect(list.shown).toMatchObject({ ...shown, rows: [{ line: 1 }, { line: 2 }], progress: null });
  }
});

test('another list ends the work on the one before, whose lines count no more', async () => {
  const { list, calls } = started();
  list.list({ folder: '/runs/a', list: { step: 4 } });
  list.list({ folder: '/runs/a', list: 'lowest' });
  calls[0]!.say(stepAnswer(1));
  await settled();
  expect(list.shown).toMatchObject({ list: 'lowest', rows: null, cancelled: false });
  calls[1]!.say({ ...place, by: 'lowest', measured: 1, rows: [row(9, 0.1)] });
  calls[1]!.end();
  await settled();
  expect(list.shown!.rows!.map(({ line }) => line)).toEqual([9]);
  list.list(null);
  expect(list.shown).toBeNull();
});

test('quarantine marks the row, and equal ones', async () => {
  const { list, calls, changes } = started();
  await list.quarantine('sha256:1', true);
  expect(calls).toEqual([]);
  list.list({ folder: '/runs/a', list: 'highest' });
  calls[0]!.say({
    ...place,
    by: 'highest',
    measured: 3,
    rows: [row(1, 3), row(2, 2), { ...row(3, 1), hash: 'sha256:1' }],
  });
  calls[0]!.end();
  await settled();
  const before = changes();
  await list.quarantine('sha256:1', true);
  expect(list.shown!.rows!.map(({ quarantined }) => quarantined)).toEqual([true, false, true]);
  expect(changes()).toBeGreaterThan(before);
  await list.quarantine('sha256:1', false);
  expect(list.shown!.rows!.some(({ quarantined }) => quarantined)).toBe(false);
  expect(calls.slice(1).map(({ args }) => args.join(' '))).toEqual([
    '/runs/a --add sha256:1',
    '/runs/a --remove sha256:1',
  ]);
});
