// The result of a suite: scores, and comparisons of each two models.
import { describe, expect, it, test } from 'vitest';
import { showsNoDifference } from '../../../../extension/src/core/evaluation/comparisonText.js';
import { evaluationReport } from '../../../../extension/src/core/evaluation/evaluationReport.js';
import { judgedRow } from '../../../../extension/src/core/evaluation/judgedRow.js';
import { parseSuiteRow } from '../../../../extension/src/core/evaluation/suite.js';
import { createRng } from '../../../../extension/src/engine/data/rng.js';
import { evaluationReportSchema } from '../../../../extension/src/protocol/answers.js';

const rows = Array.from({ length: 12 }, (_, i) =>
  parseSuiteRow(
    {
      id: `r${i}`,
      prompt: 'p',
      expected: 'one two three four',
      checks: [{ type: 'contains', value: 'one' }, { type: 'rouge_l' }],
    },
    { file: 's.eval.jsonl', line: i + 1 },
  ),
);
const model = (name: string, answer: (i: number) => string) => ({
  name,
  rows: rows.map((row, i) => judgedRow(row, { text: answer(i), toolCalls: [], tokens: 4 }, 0.5)),
});
const report = (...models: ReturnType<typeof model>[]) =>
  evaluationReport(models, () => {
    const rng = createRng(1);
    return limit => rng.int(limit);
  });
const right = model('right', () => 'one two three four');
const half = model('half', i => (i < 6 ? 'one two three four' : 'one five'));
const wrong = model('wrong', () => 'no');

test('a row is passed if all checks are; the score is their mean', () => {
  const { models } = report(half);
  expect(models.half).toMatchObject({ passed: 6, total: 12 });
  // Contains: 1. ROUGE-L of 1 of 2 and 4 words: 2 / 6.
  expect(models.half!.score).toBeCloseTo((6 + 6 * ((1 + 1 / 3) / 2)) / 12, 12);
  expect(models.half!.rows[11]).toEqual({
    id: 'r11',
    passed: false,
    answer: 'one five',
    checks: [
      { type: 'contains', passed: true, score: 1 },
      { type: 'rouge_l', passed: false, score: 1 / 3 },
    ],
  });
});

describe('comparisons', () => {
  it('are of each model with those before it, and as the schema says', () => {
    const found = report(wrong, half, right);
    expect(evaluationReportSchema.parse(found)).toEqual(found);
    expect(found.comparisons.map(({ a, b }) => `${a} ${b}`)).toEqual(['half wrong', 'right wrong', 'right half']);
  });

  it('count wins, losses and ties by what is passed', () => {
    const [comparison] = report(wrong, half).comparisons;
    expect(comparison).toMatchObject({ wins: 6, losses: 0, ties: 6 });
    expect(comparison!.p_value).toBeCloseTo(0.03125, 12);
    expect(showsNoDifference(comparison!)).toBe(false);
  });

  it('have the opposite sign the other way round', () => {
    const [comparison] = report(half, wrong).comparisons;
    expect(comparison).toMatchObject({ wins: 0, losses: 6 });
    expect(comparison!.interval[1]).toBeLessThan(0);
  });

  it('show no difference between equal models, with a width', () => {
    const [comparison] = report(half, { ...half, name: 'copy' }).comparisons;
    expect(comparison).toMatchObject({ wins: 0, losses: 0, ties: 12, p_value: 1 });
    expect(comparison!.interval[0]).toBeLessThan(-0.2);
    expect(showsNoDifference(comparison!)).toBe(true);
  });

  it('are the same at each call', () => expect(report(wrong, half)).toEqual(report(wrong, half)));

  it('are none without rows', () => {
    const empty = { name: 'a', rows: [] };
    expect(report(empty, { ...empty, name: 'b' })).toEqual({
      models: { a: { passed: 0, total: 0, score: 0, rows: [] }, b: { passed: 0, total: 0, score: 0, rows: [] } },
      comparisons: [],
    });
  });
});
