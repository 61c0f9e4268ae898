// Rows of suites from rows of datasets, and the text by which equal rows are found.
import { describe, expect, it, test } from 'vitest';
import type { Example, SequenceExample } from '../../../../extension/src/core/data/example.js';
import { rowContent } from '../../../../extension/src/core/evaluation/rowContent.js';
import { parseSuiteRow } from '../../../../extension/src/core/evaluation/suite.js';
import { CHECKS_OF_EXPECTED, suiteRowOf } from '../../../../extension/src/core/evaluation/suiteRow.js';

const source = `sha256:${'0'.repeat(64)}`;
const of = (example: SequenceExample, hasChatTemplate = true) =>
  suiteRowOf(example, { check: 'exact', source, hasChatTemplate });
const user = (content: string) => ({ role: 'user', content });
const assistant = (content: string | null, more = {}) => ({ role: 'assistant', content, ...more });
const checks = [{ type: 'exact' }];

test('checks that need only the expected answer', () => {
  expect(CHECKS_OF_EXPECTED).toEqual(['exact', 'contains', 'number', 'rouge_l']);
});

describe('from an example', () => {
  it.each<[string, SequenceExample, boolean, object | null]>([
    [
      'a question',
      { kind: 'chat', messages: [user('Hi?'), assistant(' Hello. ')] },
      true,
      { prompt: 'Hi?', expected: 'Hello.', checks, source },
    ],
    [
      'a conversation up to its last answer',
      {
        kind: 'chat',
        messages: [
          { role: 'system', content: 's' },
          user('a'),
          assistant('b', { noLoss: true }),
          user('c'),
          assistant('d'),
        ],
      },
      true,
      {
        messages: [{ role: 'system', content: 's' }, user('a'), assistant('b'), user('c')],
        expected: 'd',
        checks,
        source,
      },
    ],
    [
      'a call of a function',
      {
        kind: 'chat',
        messages: [
          user('Rain?'),
          assistant(null, { tool_calls: [{ function: { name: 'rain', arguments: '{"at": "Oslo"}' } }] }),
        ],
        tools: [{ name: 'rain' }],
      },
      true,
      {
        prompt: 'Rain?',
        tools: [{ name: 'rain' }],
        checks: [{ type: 'tool_call', name: 'rain', arguments: { at: 'Oslo' } }],
        source,
      },
    ],
    [
      'variables of the template',
      { kind: 'chat', messages: [user('a'), assistant('b')], templateVariables: { enable_thinking: false } },
      true,
      { prompt: 'a', chat_template_kwargs: { enable_thinking: false }, expected: 'b', checks, source },
    ],
    [
      'a completion',
      { kind: 'completion', prompt: 'Q: a\nA:', completion: ' b' },
      true,
      { text: 'Q: a\nA:', expected: 'b', checks, source },
    ],
    [
      'a chat for a model without a chat template',
      { kind: 'chat', messages: [user('a'), assistant('b')], plain: { prompt: '### a\n', completion: 'b' } },
      false,
      { text: '### a\n', expected: 'b', checks, source },
    ],
    ['a text', { kind: 'text', text: 'a' }, true, null],
    ['token ids', { kind: 'tokenized', inputIds: [1] }, true, null],
    ['a question without answer', { kind: 'chat', messages: [user('a')] }, true, null],
    ['an empty answer', { kind: 'chat', messages: [user('a'), assistant(' ')] }, true, null],
    ['an answer without question', { kind: 'chat', messages: [assistant('a')] }, true, null],
  ])('%s', (_, example, hasChatTemplate, row) => {
    const written = of(example, hasChatTemplate);
    expect(written).toEqual(row);
    if (written) parseSuiteRow({ ...written }, { file: 'a.eval.jsonl', line: 1 });
  });
});

describe('content', () => {
  const chat = (...messages: object[]) => ({ kind: 'chat', messages }) as Example;
  const base = rowContent(chat(user('a'), assistant('b')));

  it.each<[string, Example]>([
    ['other white space', chat(user(' a\n'), assistant('b '))],
    ['another order of keys', chat({ content: 'a', role: 'user' }, assistant('b'))],
    ['left out of the loss', chat(user('a'), assistant('b', { noLoss: true }))],
    ['as a completion', { kind: 'completion', prompt: 'a', completion: ' b' }],
    ['with a plain form', { ...chat(user('a'), assistant('b')), plain: { prompt: 'x', completion: 'b' } } as Example],
  ])('is the same: %s', (_, example) => expect(rowContent(example)).toBe(base));

  it('is the same with other line ends', () => {
    const lines = (end: string) => rowContent({ kind: 'text', text: `a${end}b` });
    expect(lines('\r\n')).toBe(lines('\n'));
  });

  it.each<[string, Example]>([
    ['another answer', chat(user('a'), assistant('B'))],
    ['another question', chat(user('a b'), assistant('b'))],
    ['a turn more', chat(user('a'), assistant('b'), user('c'))],
    ['reasoning', chat(user('a'), assistant('b', { reasoning_content: 'c' }))],
    ['a text', { kind: 'text', text: 'ab' }],
    ['token ids', { kind: 'tokenized', inputIds: [1, 2] }],
  ])('is another one: %s', (_, example) => expect(rowContent(example)).not.toBe(base));
});
