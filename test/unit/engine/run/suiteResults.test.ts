// Kept answers of results, checkpoints and bases, compared as the command line compares them.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { comparisonText } from '../../../../extension/src/core/evaluation/comparisonText.js';
import { evaluationReport, modelResult } from '../../../../extension/src/core/evaluation/evaluationReport.js';
import { comparisonDraws, suiteResults } from '../../../../extension/src/engine/run/suiteResults.js';
import { keepReport } from '../../../../extension/src/engine/runFolder/keptReports.js';
import { RESULT } from '../../../../extension/src/system/keptReports.js';
import type { RunModel } from '../../../../extension/src/protocol/answers.js';

const home = mkdtempSync(join(tmpdir(), 'tunewright-results-'));
afterAll(() => rmSync(home, { recursive: true }));

const SUITE = { file: '/suites/tone.eval.jsonl', hash: 'now' };
const ROWS = 12;

/** Rows of two checks, of which the second is half met where the first isn't. */
const judged = (name: string, passes: (row: number) => boolean) => ({
  name,
  rows: Array.from({ length: ROWS }, (_, i) => {
    const passed = passes(i);
    const checks = [passed ? 1 : 0, passed ? 1 : 0.5].map(score => ({ type: 'x', passed, score, expected: null }));
    const score = passed ? 1 : 0.25;
    return {
      id: `r${i}`,
      at: { file: 'f', line: i + 1 },
      expected: null,
      answer: 'a',
      passed,
      score,
      checks,
      seconds: 0,
    };
  }),
});
const tuned = judged('tuned', i => i !== 3);
const half = judged('half', i => i % 2 === 0);
const base = judged('base', i => i < 2);
const keep = (folder: string, name: string, { rows }: typeof tuned, suite = SUITE) =>
  keepReport(folder, suite, { [name]: modelResult(rows) });

function run(place: string, name: string, engine = {}): string {
  const folder = join(home, place, name);
  mkdirSync(folder, { recursive: true });
  const config = {
    name,
    model: 'embedded:tiny',
    dataset: { train: 'rows.jsonl' },
    method: { peft_type: 'LORA' },
    engine,
  };
  writeFileSync(join(folder, 'run.json'), JSON.stringify(config));
  return folder;
}

const named = ({ folder, kind, step }: RunModel) =>
  [folder.split('/').at(-1), kind, step].filter(part => part !== null).join(' ');
const pairs = (folders: string[]) =>
  suiteResults(folders).map(({ comparisons }) => comparisons.map(({ a, b }) => `${named(a)} / ${named(b)}`));

test('a run is compared with its checkpoints and the base of its weights, and results with each other', () => {
  const [a, b, other] = [run('runs', 'a'), run('runs', 'b'), run('runs', 'int8', { base_weights: 'int8' })];
  keep(a, 'step 20', half);
  keep(a, RESULT, tuned);
  keep(b, RESULT, half);
  keep(other, RESULT, half);
  keep(join(home, 'runs'), 'embedded:tiny, float32, float32', base);
  expect(pairs([a])).toEqual([['a result / a checkpoint 20', 'a result / a base', 'a checkpoint 20 / a base']]);
  expect(pairs([a, b])).toEqual([
    [
      ...['a result / a checkpoint 20', 'a result / a base', 'a result / b result'],
      ...['a checkpoint 20 / a base', 'b result / b base'],
    ],
  ]);
  expect(pairs([other]), 'another base').toEqual([[]]);
  const [{ file, models }] = suiteResults([a]) as [ReturnType<typeof suiteResults>[number]];
  expect([file, models.map(({ model, passed, total }) => [named(model), passed, total])]).toEqual([
    SUITE.file,
    [
      ['a result', 11, 12],
      ['a checkpoint 20', 6, 12],
      ['a base', 2, 12],
    ],
  ]);
  expect(models[0]!.score).toBeCloseTo(11.25 / 12, 12);
});

test('figures and words are those of the command line', () => {
  const a = run('runs', 'a');
  const [results] = suiteResults([a]);
  const found = results!.comparisons.find(({ a, b }) => a.kind === 'result' && b.kind === 'base')!;
  const [printed] = evaluationReport([base, tuned], comparisonDraws).comparisons;
  expect({ ...found, a: 'tuned', b: 'base' }).toEqual(printed);
  expect(comparisonText(printed!)).toMatch(
    /^tuned against base: 9 wins, 0 losses, 3 ties \(p = 0\.0039\); score \+0\.\d{3} to \+0\.\d{3} at 95%: tuned scores higher$/,
  );
});

test('answers to other rows are not compared', () => {
  const [a, c] = [run('runs', 'a'), run('runs', 'c')];
  keep(c, RESULT, half, { ...SUITE, hash: 'before' });
  expect(pairs([a, c])).toEqual([expect.not.arrayContaining(['a result / c result']), []]);
});

test('the base of a race is beside its runs', () => {
  const entry = run('race/runs', 'lora-seed1');
  writeFileSync(join(home, 'race', 'race.json'), '{}');
  keep(entry, RESULT, tuned);
  keep(join(home, 'race'), 'base', base);
  expect(pairs([entry])).toEqual([['lora-seed1 result / lora-seed1 base']]);
});

test('folders without answers of their own, or without a run, have none', () => {
  expect(suiteResults([run('runs', 'new'), join(home, 'none')])).toEqual([]);
});
