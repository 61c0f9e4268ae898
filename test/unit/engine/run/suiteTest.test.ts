// A suite asked of one model of a session: which rows, what is reported and kept, and what is refused.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { fileHash } from '../../../../extension/src/engine/data/fileHash.js';
import type { Session } from '../../../../extension/src/engine/generation/session.js';
import { testSuite } from '../../../../extension/src/engine/run/suiteTest.js';
import { keepReport } from '../../../../extension/src/engine/runFolder/keptReports.js';
import { keptReport } from '../../../../extension/src/system/keptReports.js';
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
    { suite, ids: null, adapter: 'x', keep_in: null, ...questions },
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

test('the report of all rows is kept with the run, of each suite the last one', async () => {
  await ask({ keep_in: run, ids: ['a'] });
  expect(keptReport(run, suite), 'not of some rows').toBeNull();
  const other = { file: '/others/tone.eval.jsonl', hash: 'h' };
  keepReport(run, { suite: other, report: { models: {}, comparisons: [] } });
  keepReport(run, { suite: { file: suite, hash: 'before' }, report: { models: {}, comparisons: [] } });
  await ask({ keep_in: run });
  const kept = keptReport(run, suite)!;
  expect(kept.suite.hash).toBe(await fileHash(suite));
  expect(kept.report.models['result']).toMatchObject({ passed: 2, total: 3 });
  expect(keptReport(run, other.file)?.suite).toEqual(other);
  await expect(ask({ keep_in: folder })).rejects.toThrow('not the folder of a run');
});

test('what was cancelled is cancelled', async () => {
  const stop = new AbortController();
  stop.abort();
  await expect(ask({ keep_in: run }, stop)).rejects.toMatchObject({ code: 'cancelled' });
});
