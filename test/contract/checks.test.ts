// The contract of every check of evaluation suites: its example holds, a row reads it with all errors placed, the schema for editors
// agrees, and no answer takes it long or makes it throw.
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import type { CheckedAnswer, CheckType } from '../../extension/src/core/evaluation/checks/check.js';
import { checkTypes } from '../../extension/src/core/evaluation/checks/registry.js';
import { parseSuiteRow } from '../../extension/src/core/evaluation/suite.js';
import { suiteJsonSchema } from '../../extension/src/core/evaluation/suiteSchema.js';
import { inputJsonSchema } from '../../extension/src/core/forms/zodSchema.js';
import { InputError } from '../../extension/src/core/inputError.js';

const AT = { file: 'tone.eval.jsonl', line: 7 };
const validate = new Ajv({ strict: false }).compile(suiteJsonSchema());

const answerOf = (example: CheckType['example']['passes']): CheckedAnswer =>
  typeof example === 'string' ? { text: example, toolCalls: [], tokens: 5 } : example;
const rowOf = (checks: unknown, expected?: string) => ({ prompt: 'Hello', checks, ...(expected && { expected }) });
const judgeOf = (check: object, expected?: string) => parseSuiteRow(rowOf([check], expected), AT).checks[0]!.judge;

function refusal(row: object): InputError {
  try {
    parseSuiteRow(row as Record<string, unknown>, AT);
  } catch (error) {
    if (error instanceof InputError) return error;
    throw error;
  }
  throw new Error(`accepted: ${JSON.stringify(row)}`);
}

const HOSTILE = [
  '',
  '\n',
  '\ud800',
  '\u0000',
  '{'.repeat(3000),
  '['.repeat(3000),
  'a'.repeat(20_000),
  '1,'.repeat(10_000),
  '9'.repeat(20_000),
  '<tool_call>'.repeat(500),
  '```json\n'.repeat(1000),
];

describe.each(checkTypes.map(check => [check.type, check] as const))('%s', (type, check) => {
  const { options, passes, fails } = check.example;
  const example = { type, ...(options as object) };

  it('has a name as a key, a title, a description, and both for each option', () => {
    expect(type).toMatch(/^[a-z]+(_[a-z]+)*$/);
    expect(check.title).toMatch(/\w/);
    expect(check.description).toMatch(/\w/);
    for (const [key, schema] of Object.entries(inputJsonSchema(check.schema).properties!)) {
      expect(schema.title, key).toMatch(/\w/);
      expect(schema.description, key).toMatch(/\w/);
    }
  });

  it('judges its examples', () => {
    const judge = judgeOf(example);
    const verdict = judge(answerOf(passes));
    expect(verdict).toEqual({ passed: true, score: verdict.score });
    expect(verdict.score).toBeGreaterThan(0);
    expect(verdict.score).toBeLessThanOrEqual(1);
    const failed = judge(answerOf(fails));
    expect(failed.passed).toBe(false);
    expect(failed.reason).toMatch(/\w/);
    expect(failed.score).toBeLessThan(verdict.score);
  });

  it('judges any answer', () => {
    const judge = judgeOf(example);
    for (const text of HOSTILE) {
      const { passed, score, reason } = judge({ text, toolCalls: [], tokens: text.length });
      expect(score, text.slice(0, 20)).toBeGreaterThanOrEqual(0);
      expect(score).toBeLessThanOrEqual(1);
      expect(passed || reason !== undefined).toBe(true);
    }
  });

  it('says where an unknown option is, and what is meant', () => {
    const error = refusal(
      rowOf([
        { type: 'max_tokens', value: 9 },
        { ...example, ignore_cas: true },
      ]),
    );
    expect(error.where).toBe('tone.eval.jsonl:7: checks.1.ignore_cas');
    expect(error.message).toMatch(/unknown key "ignore_cas"; did you mean "/);
  });

  it('names each required option that is missing or of another kind', () => {
    const { required = [] } = inputJsonSchema(check.schema);
    for (const key of required) {
      const { [key]: _, ...others } = example as Record<string, unknown>;
      expect(refusal(rowOf([others])).where).toBe(`tone.eval.jsonl:7: checks.0.${key}`);
      expect(refusal(rowOf([{ ...others, [key]: { no: 1 } }])).where).toMatch(`tone.eval.jsonl:7: checks.0.${key}`);
    }
  });

  it('takes the expected answer of the row if it says so', () => {
    const { value, ...others } = example as Record<string, unknown>;
    if (!check.usesExpected) return;
    expect(judgeOf(others, String(value))(answerOf(passes)).passed).toBe(true);
    expect(validate(rowOf([others], String(value)))).toBe(true);
    const error = refusal(rowOf([others]));
    expect(error.message).toContain('the row has no "expected"');
    expect(error.hint).toContain('"expected"');
  });

  it('is in the schema of editors', () => {
    expect(validate(rowOf([example])), JSON.stringify(validate.errors)).toBe(true);
    expect(validate(rowOf([{ ...example, ignore_cas: true }]))).toBe(false);
  });
});
