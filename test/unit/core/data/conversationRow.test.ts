import { expect, it } from 'vitest';
import { conversationRow } from '../../../../extension/src/core/data/conversationRow.js';
import { datasetFormats } from '../../../../extension/src/core/data/formats/registry.js';

const answer = [
  { role: 'user', content: 'What is 2 + 2?' },
  { role: 'assistant', content: '4' },
];
const conversation = [
  { role: 'system', content: 'Be brief.' },
  ...answer,
  { role: 'user', content: 'And 3 + 3?' },
  { role: 'assistant', content: '6' },
];

const rows = {
  messages: {
    messages: [
      { role: 'user', content: 'a' },
      { role: 'assistant', content: 'b' },
    ],
  },
  sharegpt: {
    conversations: [
      { from: 'human', value: 'a' },
      { from: 'gpt', value: 'b' },
    ],
  },
  alpaca: { instruction: 'a', input: '', output: 'b' },
  prompt_completion: { prompt: 'a', completion: 'b' },
};

it.each(Object.entries(rows))('a corrected answer is a row of %s that reads back as it is', (name, like) => {
  const format = datasetFormats.find(known => known.name === name)!;
  const row = conversationRow(answer, [like]);
  const example = format.parse(row, { file: 'rows.jsonl', line: 1 });
  const read =
    example.kind === 'chat'
      ? example.messages.map(({ role, content }) => ({ role, content }))
      : [
          { role: 'user', content: (example as { prompt: string }).prompt },
          { role: 'assistant', content: (example as { completion: string }).completion },
        ];
  expect(read).toEqual(answer);
});

it('a conversation goes into the formats of conversations, and is refused by the others', () => {
  expect(conversationRow(conversation, [])).toEqual({ messages: conversation });
  expect(conversationRow(conversation, [rows.sharegpt])).toMatchObject({ conversations: { length: 5 } });
  expect(() => conversationRow(conversation, [rows.alpaca])).toThrow(/one question and one answer/);
  expect(() => conversationRow(answer, [{ text: 'a' }])).toThrow(/format text/);
});
