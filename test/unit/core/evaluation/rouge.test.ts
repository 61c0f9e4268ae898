// ROUGE-1, ROUGE-2 and ROUGE-L against Google's rouge_score, without stemmer.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { textMetrics } from '../../../../extension/src/core/evaluation/textMetrics.js';

const cases: { answer: string; expected: string; f1: Record<string, number> }[] = JSON.parse(
  readFileSync('test/fixtures/evaluation/rouge.json', 'utf8'),
);

describe.each(Object.keys(cases[0]!.f1))('%s', name => {
  const metric = textMetrics.find(known => known.name === name)!;

  it.each(cases)('$answer', ({ answer, expected, f1 }) => {
    expect(metric.of(answer, expected)).toBeCloseTo(f1[name]!, 14);
  });
});
