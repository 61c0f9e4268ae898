// Calls of functions: those that the session found, and those that the text of a row without tools has.
import { describe, expect, it, test } from 'vitest';
import { toolCall } from '../../../../../extension/src/core/evaluation/checks/toolCall.js';

const judge = (options: object, calls: [string, string][], text = '') =>
  toolCall.prepare(toolCall.schema.parse({ name: 'weather', ...options }))({
    text,
    toolCalls: calls.map(([name, args]) => ({ name, arguments: args })),
    tokens: 1,
  });

describe('arguments', () => {
  it.each([
    [{}, '{"city": "Rome"}', true],
    [{ arguments: {} }, '{}', true],
    [{ arguments: {} }, '{"city": "Rome"}', false],
    [{ arguments: { city: 'Rome' } }, '{"city": "Rome"}', true],
    [{ arguments: { city: 'Rome' } }, '{"city": "rome"}', false],
    [{ arguments: { city: 'Rome' } }, '{"city": "Rome", "days": 2}', false],
    [{ arguments: { city: 'Rome' }, allow_others: true }, '{"city": "Rome", "days": 2}', true],
    [{ arguments: { days: 2 } }, '{"days": 2.0}', true],
    [{ arguments: { days: 2 } }, '{"days": "2"}', false],
    [{ arguments: { a: 1, b: [1, { c: null }] } }, '{"b": [1, {"c": null}], "a": 1}', true],
    [{ arguments: { b: [1, 2] } }, '{"b": [2, 1]}', false],
    [{ arguments: { b: [] } }, '{"b": {}}', false],
    [{ arguments: { b: null } }, '{}', false],
  ])('%j: %s', (options, args, passed) => expect(judge(options, [['weather', args]]).passed).toBe(passed));
});

test('one of several calls is enough', () => {
  const calls: [string, string][] = [
    ['time', '{}'],
    ['weather', '{"city": "Rome"}'],
    ['weather', '{"city": "Paris"}'],
  ];
  expect(judge({ arguments: { city: 'Paris' } }, calls).passed).toBe(true);
  expect(judge({ arguments: { city: 'Oslo' } }, calls).reason).toBe('it calls weather with {"city": "Rome"}');
  expect(judge({}, [['time', '{}']]).reason).toBe('it calls time');
  expect(judge({}, [], 'Sunny.').reason).toBe('it calls no function');
});

it.each([
  '<tool_call>\n{"name": "weather", "arguments": {"city": "Rome"}}\n</tool_call>',
  'Let me see. <tool_call>{"name": "weather", "arguments": {"city": "Rome"}}</tool_call>',
  '{"name": "weather", "parameters": {"city": "Rome"}}',
  '<tool_call><function=weather><parameter=city>Rome</parameter></function></tool_call>',
])('a call in the text: %s', text => expect(judge({ arguments: { city: 'Rome' } }, [], text).passed).toBe(true));
