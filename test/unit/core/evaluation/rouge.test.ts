// ROUGE-L against Google's rouge_score, without stemmer.
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { rougeL, rougeWords } from '../../../../extension/src/core/evaluation/rouge.js';

const cases: { answer: string; expected: string; f1: number }[] = JSON.parse(
  readFileSync('test/fixtures/evaluation/rouge.json', 'utf8'),
);

it.each(cases)('$answer', ({ answer, expected, f1 }) => {
  expect(rougeL(rougeWords(answer), rougeWords(expected))).toBeCloseTo(f1, 14);
});
