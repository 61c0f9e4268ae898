import { expect, test } from 'vitest';
import { emptyAnswer } from '../../../../extension/src/core/data/emptyAnswer.js';
import type { ChatMessage, SequenceExample } from '../../../../extension/src/core/data/example.js';

const chat = (answer: Partial<ChatMessage>, more: object = {}): SequenceExample => ({
  kind: 'chat',
  messages: [
    { role: 'user', content: 'Hi' },
    { role: 'assistant', content: '', ...answer },
  ],
  ...more,
});

test.each<[string, SequenceExample, string | null]>([
  ['no text', chat({}), 'message 2 is an empty answer'],
  ['white space only', chat({ content: ' \n' }), 'message 2 is an empty answer'],
  ['null without calls', chat({ content: null }), 'message 2 is an empty answer'],
  ['an empty list of calls', chat({ tool_calls: [] }), 'message 2 is an empty answer'],
  ['a call', chat({ tool_calls: [{ function: { name: 'f', arguments: {} } }] }), null],
  ['reasoning only', chat({ reasoning_content: 'Let me see.' }), null],
  ['a turn without loss', chat({ noLoss: true }), null],
  ['a turn of the context', chat({}, { trainFrom: 2 }), null],
  ['an answer', chat({ content: 'Hello' }), null],
  ['an empty question', { kind: 'chat', messages: [{ role: 'user', content: '' }] }, null],
  [
    'two of three answers',
    {
      kind: 'chat',
      messages: ['', 'a', ''].flatMap(content => [
        { role: 'user', content: 'Hi' },
        { role: 'assistant', content },
      ]),
    },
    'messages 2, 6 are empty answers',
  ],
  ['an empty completion', { kind: 'completion', prompt: 'a', completion: ' ' }, 'the completion is empty'],
  ['a completion after an empty prompt', { kind: 'completion', prompt: '', completion: 'a' }, null],
  ['an empty text', { kind: 'text', text: '' }, 'the text is empty'],
  ['token ids', { kind: 'tokenized', inputIds: [] }, null],
])('%s', (_, example, expected) => expect(emptyAnswer(example)).toBe(expected));
