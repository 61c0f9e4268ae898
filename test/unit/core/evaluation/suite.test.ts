// Rows of suites: what is read, and that every error says file, line, key and what to change.
import { readFileSync } from 'node:fs';
import { describe, expect, it, test } from 'vitest';
import { checkId, parseSuiteRow } from '../../../../extension/src/core/evaluation/suite.js';
import { suiteJsonSchema } from '../../../../extension/src/core/evaluation/suiteSchema.js';
import { parseJsonText } from '../../../../extension/src/core/data/jsonText.js';
import { InputError } from '../../../../extension/src/core/inputError.js';

const at = { file: 'a.eval.jsonl', line: 3 };
const checks = [{ type: 'exact', value: 'Hi' }];
const read = (row: object) => parseSuiteRow(row as Record<string, unknown>, at);

describe('what the model is asked', () => {
  it('a prompt is what the user says', () => {
    expect(read({ prompt: 'Hello', checks }).question).toEqual({ messages: [{ role: 'user', content: 'Hello' }] });
  });

  it('messages are a conversation, with calls of tools', () => {
    const messages = [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Rain?' },
      { role: 'assistant', content: null, tool_calls: [{ function: { name: 'rain', arguments: {} } }] },
      { role: 'tool', content: 'no' },
    ];
    expect(read({ messages, checks }).question).toEqual({ messages });
  });

  it('tools and variables of the template go with it', () => {
    const more = { tools: [{ name: 'rain' }], chat_template_kwargs: { enable_thinking: false } };
    expect(read({ prompt: 'a', checks, ...more }).question).toEqual({
      messages: [{ role: 'user', content: 'a' }],
      tools: more.tools,
      template_variables: { enable_thinking: false },
    });
  });

  it('a text is continued as it is', () => {
    expect(read({ text: 'Once upon', checks }).question).toEqual({ prompt: 'Once upon' });
  });
});

test('defaults, and numbers as a row of a file has them', () => {
  const row = read({ prompt: 'a', checks });
  expect(row).toMatchObject({ id: 'line 3', expected: null, maxNewTokens: 128, source: null });
  const text =
    '{"id": 7, "prompt": "a", "max_new_tokens": 5, "checks": [{"type": "number", "value": 2.0, "tolerance": 1.0}]}';
  const numbers = parseSuiteRow(parseJsonText(text) as Record<string, unknown>, at);
  expect(numbers).toMatchObject({ id: '7', maxNewTokens: 5 });
  expect(numbers.checks[0]!.judge({ text: '3', toolCalls: [], tokens: 1 }).passed).toBe(true);
});

describe('errors', () => {
  it.each<[string, object, string, string]>([
    ['nothing to ask', { checks }, 'prompt', 'there is no prompt'],
    ['two questions', { prompt: 'a', text: 'b', checks }, 'text', 'both "prompt" and "text"'],
    ['an empty prompt', { prompt: '', checks }, 'prompt', 'must be'],
    ['no messages', { messages: [], checks }, 'messages', 'must be'],
    ['a message without role', { messages: [{ content: 'a' }], checks }, 'messages.0.role', 'is missing'],
    [
      'an answer at the end',
      {
        messages: [
          { role: 'user', content: 'a' },
          { role: 'assistant', content: 'b' },
        ],
        checks,
      },
      'messages.1',
      'nothing to answer',
    ],
    ['no checks', { prompt: 'a' }, 'checks', 'is missing'],
    ['an empty list of checks', { prompt: 'a', checks: [] }, 'checks', 'must be'],
    ['a check without type', { prompt: 'a', checks: [{ value: 'b' }] }, 'checks.0.type', 'is missing'],
    ['an unknown check', { prompt: 'a', checks: [{ type: 'contain' }] }, 'checks.0.type', 'did you mean "contains"?'],
    ['an unknown key', { promt: 'a', prompt: 'a', checks }, 'promt', 'did you mean "prompt"?'],
    ['an option of another kind', { prompt: 'a', checks: [{ type: 'exact', value: 3 }] }, 'checks.0.value', 'not 3'],
    [
      'a wrong expression',
      { prompt: 'a', checks: [...checks, { type: 'regex', value: '(?=a)' }] },
      'checks.1.value',
      'regular expression',
    ],
    ['no tokens', { prompt: 'a', checks, max_new_tokens: 0 }, 'max_new_tokens', 'must be'],
    ['a wrong hash', { prompt: 'a', checks, source: 'abc' }, 'source', 'sha256:'],
    ['no expected answer', { prompt: 'a', checks: [{ type: 'exact' }] }, 'checks.0.value', 'no "expected"'],
    [
      'an expected answer that the check can’t use',
      { prompt: 'a', expected: 'many', checks: [{ type: 'number' }] },
      'checks.0.value',
      'no number in "many"',
    ],
  ])('%s', (_, row, key, part) => {
    const error = (() => {
      try {
        read(row);
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(error).toBeInstanceOf(InputError);
    expect((error as InputError).where).toBe(`a.eval.jsonl:3: ${key}`);
    expect((error as InputError).message).toContain(part);
  });

  it('two rows with one id', () => {
    const rows = [
      read({ id: 'x', prompt: 'a', checks }),
      parseSuiteRow({ id: 'x', prompt: 'b', checks }, { ...at, line: 9 }),
    ];
    const lines = new Map<string, number>();
    checkId(rows[0]!, lines);
    expect(() => checkId(rows[1]!, lines)).toThrow('the id "x" is that of line 3 too');
    expect(() => checkId(rows[1]!, new Map())).not.toThrow();
  });
});

test('media/schemas/eval.schema.json is up to date', () => {
  const committed = JSON.parse(readFileSync('media/schemas/eval.schema.json', 'utf8'));
  expect(committed, 'stale: run node extension/scripts/writeSchemas.mjs').toEqual(
    JSON.parse(JSON.stringify(suiteJsonSchema())),
  );
});
