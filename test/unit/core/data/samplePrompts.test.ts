import { expect, test } from 'vitest';
import { samplePrompts } from '../../../../extension/src/core/data/samplePrompts.js';

const chat = (text: string) => ({
  messages: [
    { role: 'user', content: text },
    { role: 'assistant', content: 'Yes.' },
  ],
});

test('the first user message of each chat, without duplicates and very long ones', () => {
  const rows = [
    chat('Are bears big?'),
    chat('Are bears big?'),
    chat('x'.repeat(301)),
    chat('Do they swim?'),
    chat('Why?'),
  ];
  expect(samplePrompts(rows, 2)).toEqual(['Are bears big?', 'Do they swim?']);
});

test('the prompt of completions, nothing for plain text', () => {
  expect(samplePrompts([{ prompt: 'One and one', completion: 'two' }], 3)).toEqual(['One and one']);
  expect(samplePrompts([{ text: 'Once upon a time' }], 3)).toEqual([]);
  expect(samplePrompts([], 3)).toEqual([]);
});
