// Pairs of answers as readable text: both answers are shown, and nothing of them as trained on.
import { expect, test } from 'vitest';
import { formatByName } from '../../../../extension/src/core/data/resolveFormat.js';
import { excerptOf, turnsOf } from '../../../../extension/src/core/data/exampleText.js';

const pair = (row: object) => formatByName('preference').parse({ ...row }, { file: '', line: 1 });
const user = (content: string) => ({ role: 'user', content });
const assistant = (content: string) => ({ role: 'assistant', content });

test.each([
  ['messages', { prompt: [user('Hi')], chosen: [assistant('Hello')], rejected: [assistant('No')] }, 'user'],
  ['conversations', { chosen: [user('Hi'), assistant('Hello')], rejected: [user('Hi'), assistant('No')] }, 'user'],
  ['texts', { prompt: 'Hi', chosen: 'Hello', rejected: 'No' }, 'prompt'],
])('%s: the prompt once, then both answers', (_, row, role) => {
  expect(turnsOf(pair(row), 'all')).toEqual([
    { role, content: 'Hi', trained: false },
    { role: 'chosen', content: 'Hello', trained: false },
    { role: 'rejected', content: 'No', trained: false },
  ]);
  expect(excerptOf(pair(row))).toBe('Hi → Hello ≻ No');
});

test('turns of an answer that are not the assistant’s keep their role', () => {
  const row = {
    prompt: [user('Hi')],
    chosen: [{ role: 'tool', content: '{}' }, assistant('a')],
    rejected: [assistant('b')],
  };
  expect(turnsOf(pair(row), 'completions').map(({ role }) => role)).toEqual([
    'user',
    'chosen: tool',
    'chosen',
    'rejected',
  ]);
});
