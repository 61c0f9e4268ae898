// The answer of a model to a row of a suite, and what the row's checks say of it.
import type { RowSource } from '../data/example.js';
import type { CheckedAnswer, Verdict } from './checks/check.js';
import type { SuiteCheck, SuiteRow } from './suite.js';

export interface JudgedRow {
  id: string;
  at: RowSource;
  expected: string | null;
  /** As it is shown: calls of functions after the text, a line of JSON each. */
  answer: string;
  /** Whether it meets all checks. */
  passed: boolean;
  /** Mean of the checks, 0 to 1. */
  score: number;
  checks: (Verdict & Pick<SuiteCheck, 'type' | 'expected'>)[];
  /** Between question and answer. */
  seconds: number;
}

/** @throws InputError with file and line if a check can't judge */
export function judgedRow({ id, at, expected, checks }: SuiteRow, answer: CheckedAnswer, seconds: number): JudgedRow {
  const verdicts = checks.map(({ type, expected: wanted, judge }) => ({ type, expected: wanted, ...judge(answer) }));
  return {
    id,
    at,
    expected,
    answer: answerText(answer),
    passed: verdicts.every(({ passed }) => passed),
    score: verdicts.reduce((sum, { score }) => sum + score, 0) / verdicts.length,
    checks: verdicts,
    seconds,
  };
}

function answerText({ text, toolCalls }: CheckedAnswer): string {
  const calls = toolCalls.map(call => `{"name": ${JSON.stringify(call.name)}, "arguments": ${call.arguments}}`);
  return [text.trim(), ...calls].filter(part => part !== '').join('\n');
}
