// Scores of reports that are kept with a run.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { scoreIn } from '../../../extension/src/system/keptReports.js';

const folder = mkdtempSync(join(tmpdir(), 'tunewright-scores-'));
afterAll(() => rmSync(folder, { recursive: true }));

function keep(name: string, file: string, model: string, total: number, score: number): void {
  mkdirSync(join(folder, 'evaluations'), { recursive: true });
  const report = { models: { [model]: { passed: 0, total, score, rows: [] } }, comparisons: [] };
  writeFileSync(join(folder, 'evaluations', name), JSON.stringify({ suite: { file, hash: 'x' }, report }));
}

test('the score is the mean over the rows of all suites', () => {
  keep('1-a.eval.json', '/suites/a.eval.jsonl', 'result', 1, 1);
  keep('2-b.eval.json', '/suites/b.eval.jsonl', 'base', 3, 0.2);
  expect(scoreIn(folder, ['/suites/a.eval.jsonl'])).toBe(1);
  expect(scoreIn(folder, ['/suites/a.eval.jsonl', '/suites/b.eval.jsonl'])).toBeCloseTo(0.4, 12);
});

test('checkpoints in a report have no part in the score', () => {
  const answers = (score: number) => ({ passed: 0, total: 2, score, rows: [] });
  const keepModels = (models: object) => {
    const kept = { suite: { file: '/suites/d.eval.jsonl', hash: 'x' }, report: { models, comparisons: [] } };
    writeFileSync(join(folder, 'evaluations', 'd.json'), JSON.stringify(kept));
  };
  keepModels({ 'step 20': answers(0.1) });
  expect(scoreIn(folder, ['/suites/d.eval.jsonl'])).toBeNull();
  keepModels({ 'step 20': answers(0.1), result: answers(0.6) });
  expect(scoreIn(folder, ['/suites/d.eval.jsonl'])).toBeCloseTo(0.6, 12);
});

test('without a report of each suite there is none', () => {
  expect(scoreIn(folder, [])).toBeNull();
  expect(scoreIn(join(folder, 'none'), ['/suites/a.eval.jsonl'])).toBeNull();
  expect(scoreIn(folder, ['/suites/a.eval.jsonl', '/suites/c.eval.jsonl'])).toBeNull();
  expect(scoreIn(folder, ['/others/a.eval.jsonl']), 'a report of another file of that name').toBeNull();
  keep('1-a.eval.json', '/suites/a.eval.jsonl', 'result', 0, 0);
  expect(scoreIn(folder, ['/suites/a.eval.jsonl']), 'of no row').toBeNull();
  writeFileSync(join(folder, 'evaluations', '1-a.eval.json'), '{"suite": 1}');
  expect(scoreIn(folder, ['/suites/a.eval.jsonl']), 'not a report').toBeNull();
});
