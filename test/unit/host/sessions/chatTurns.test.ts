import { expect, test } from 'vitest';
import { chatTurns, countedTurn } from '../../../../extension/src/host/sessions/chatTurns.js';

const [user, assistant] = [1, 2];
const text = (value: string) => ({ value });

test('messages are turns; those of one role that follow each other are one turn', () => {
  const messages = [
    { role: user, content: [text('You are brief.')] },
    { role: user, content: [text('What is '), text('rain?')] },
    { role: assistant, content: [text('Water.')] },
    { role: user, content: [text('And snow?')] },
  ];
  expect(chatTurns(messages)).toEqual([
    { role: 'user', content: 'You are brief.\n\nWhat is rain?' },
    { role: 'assistant', content: 'Water.' },
    { role: 'user', content: 'And snow?' },
  ]);
});

test('tool calls and their results are turns in OpenAI’s form', () => {
  const messages = [
    { role: assistant, content: [text('Let me look.'), { callId: '1', name: 'weather', input: { city: 'Bergen' } }] },
    { role: assistant, content: [{ callId: '2', name: 'time', input: {} }] },
    {
      role: user,
      content: [
        { callId: '1', content: [text('rain'), text('ing')] },
        { callId: '2', content: [text('noon')] },
        text('So?'),
      ],
    },
  ];
  const call = (id: string, name: string, json: string) => ({
    id,
    type: 'function',
    function: { name, arguments: json },
  });
  expect(chatTurns(messages)).toEqual([
    { role: 'assistant', content: 'Let me look.', tool_calls: [call('1', 'weather', '{"city":"Bergen"}')] },
    { role: 'assistant', content: null, tool_calls: [call('2', 'time', '{}')] },
    { role: 'tool', tool_call_id: '1', content: 'raining' },
    { role: 'tool', tool_call_id: '2', content: 'noon' },
    { role: 'user', content: 'So?' },
  ]);
});

test('other parts are left out, and messages without text are no turns', () => {
  const image = { mimeType: 'image/png', data: new Uint8Array(3) };
  expect(chatTurns([{ role: user, content: [image] }])).toEqual([]);
  expect(chatTurns([{ role: user, content: [image, text('What is this?'), null, 'x'] }])).toEqual([
    { role: 'user', content: 'What is this?' },
  ]);
  expect(countedTurn({ role: user, content: [image] })).toBeNull();
});

test('a message alone is counted as a user’s, with its calls and results', () => {
  expect(countedTurn({ role: assistant, content: [text('Aye')] })).toEqual({ role: 'user', content: 'Aye' });
  const called = countedTurn({
    role: assistant,
    content: [{ callId: '1', name: 'weather', input: { city: 'Bergen' } }],
  });
  expect(called).toMatchObject({ role: 'user', content: expect.stringContaining('Bergen') });
  expect(countedTurn({ role: user, content: [{ callId: '1', content: [text('raining')] }, text('So?')] })).toEqual({
    role: 'user',
    content: 'raining\n\nSo?',
  });
});
