// A suite asked of one model of a session: which rows, what is reported and kept, and what is refused.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { fileHash } from '../../../../extension/src/engine/data/fileHash.js';
import type { Session } from '../../../../extension/src/engine/generation/session.js';
import { testSuite } from '../../../../extension/src/engine/run/suiteTest.js';
import { keepReport } from '../../../../extension/src/engine/runFolder/keptReports.js';
import { keptReport, RESULT } from '../../../../extension/src/system/keptReports.js';
import type { JudgedAnswer } from '../../../../extension/src/protocol/sessionMessages.js';

const folder = mkdtempSync(join(tmpdir(), 'tunewright-suite-test-'));
afterAll(() => rmSync(folder, { recursive: true }));
const run = join(folder, 'run');
mkdirSync(run);
writeFileSync(join(run, 'run.json'), '{}');
const suite = join(folder, 'tone.eval.jsonl');
const row = (id: string, expected: string) => ({ id, prompt: id, expected, checks: [{ type: 'exact' }] });
writeFileSync(suite, [row('a', 'a x'), row('b', 'no'), row('c', 'c x')].map(each => JSON.stringify(each)).join('\n'));

/** Answers with the prompt and the adapter's name. */
const session = {
  facts: { model: 'embedded:tiny' },
  adapters: () => [{ name: 'x', path: '/adapters/x' }],
  generate: async ({ messages, adapters }: { messages: { content: string }[]; adapters: { name: string }[] }) => ({
    ...{ text: `${messages[0]!.content} ${adapters[0]?.name ?? 'base'}`, tool_calls: [], dropped_turns: 0 },
    ...{ finish_reason: messages[0]!.content === 'c' ? 'length' : 'stop', usage: { completion_tokens: 2 } },
  }),
} as unknown as Session;

async function ask(questions: object, stop = new AbortController()) {
  const rows: JudgedAnswer[] = [];
  const warnings = await testSuite(
    session,
    { suite, ids: null, adapter: 'x', keep_in: [], keep_as: RESULT, ...questions },
    { signal: stop.signal, report: judged => void rows.push(judged) },
  );
  return { rows: rows.map(({ id, line, passed }) => [id, line, passed]), first: rows[0], warnings };
}

test('each row is reported with its line and with what its checks compare it with', async () => {
  const { rows, first, warnings } = await ask({});
  expect(rows).toEqual([
    ['a', 1, true],
    ['b', 2, false],
    ['c', 3, true],
  ]);
  expect(first).toMatchObject({ answer: 'a x', checks: [{ type: 'exact', passed: true, expected: 'a x' }] });
  expect(warnings).toEqual(['1 answer of x ended at max_new_tokens, unfinished']);
});

test('chosen rows of the base', async () => {
  expect((await ask({ ids: ['b'], adapter: null })).rows).toEqual([['b', 2, false]]);
  await expect(ask({ ids: ['z'] })).rejects.toThrow('no row has the id "z"');
});

test('the report of all rows is kept with the run, of each suite and model the last one', async () => {
  await ask({ keep_in: [run], ids: ['a'] });
  expect(keptReport(run, suite), 'not of some rows').toBeNull();
  const other = { file: '/others/tone.eval.jsonl', hash: 'h' };
  keepReport(run, other, {});
  const models = { [RESULT]: { passed: 9, total: 9, score: 1, rows: [] } };
  keepReport(run, { file: suite, hash: 'before' }, models);
  await ask({ keep_in: [run], keep_as: 'step 4' });
  const kept = keptReport(run, suite)!;
  expect(kept.suite.hash).toBe(await fileHash(suite));
  expect(Object.keys(kept.report.models), 'others answered other rows').toEqual(['step 4']);
  await ask({ keep_in: [run] });
  await ask({ keep_in: [run] });
  const { models: both } = keptReport(run, suite)!.report;
  expect(Object.entries(both).map(([name, { passed, total }]) => [name, passed, total])).toEqual([
    ['step 4', 2, 3],
    [RESULT, 2, 3],
  ]);
  expect(keptReport(run, other.file)?.suite).toEqual(other);
});

test('reports are kept in runs and in folders of runs only', async () => {
  await ask({ adapter: null, keep_in: [folder], keep_as: 'tiny' });
  expect(keptReport(folder, suite)?.report.models).toMatchObject({ tiny: { passed: 0, total: 3 } });
  const elsewhere = join(folder, 'elsewhere');
  mkdirSync(elsewhere);
  await expect(ask({ keep_in: [elsewhere] })).rejects.toThrow('not the folder of a run');
});

test('what was cancelled is cancelled', async () => {
  const stop = new AbortController();
  stop.abort();
  await expect(ask({ keep_in: [run] }, stop)).rejects.toMatchObject({ code: 'cancelled' });
});
