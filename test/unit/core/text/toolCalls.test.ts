// Calls of functions in answers, in any pieces; what isn't a call stays text.
import { expect, test } from 'vitest';
import { ToolCalls, type FunctionCall } from '../../../../extension/src/core/text/toolCalls.js';
import { createRng } from '../../../../extension/src/engine/data/rng.js';

const properties = { city: { type: 'string' }, days: { type: 'integer' }, where: { type: 'array' } };
const TOOLS = [
  { type: 'function', function: { name: 'weather', parameters: { type: 'object', properties } } },
  { type: 'function', function: { name: 'clock' } },
];

function read(pieces: string[]): { text: string; calls: FunctionCall[] } {
  const reader = new ToolCalls(TOOLS);
  const text = pieces.map(piece => reader.push(piece)).join('');
  return { text: text + reader.end(), calls: reader.calls };
}

const WEATHER: FunctionCall = { name: 'weather', arguments: '{"city": "Köln", "days": 2}' };
const JSON_CALL = '{"name": "weather", "arguments": {"city": "Köln", "days": 2}}';

const cases: [string, string, string, FunctionCall[]][] = [
  ['Hermes, Qwen', `<tool_call>\n${JSON_CALL}\n</tool_call>`, '', [WEATHER]],
  ['text before', `I look.\n\n<tool_call>\n${JSON_CALL}\n</tool_call>`, 'I look.', [WEATHER]],
  [
    'two',
    `<tool_call>\n${JSON_CALL}\n</tool_call>\n<tool_call>{"name":"clock","arguments":{}}</tool_call>\n`,
    '',
    [WEATHER, { name: 'clock', arguments: '{}' }],
  ],
  ['without the end', `<tool_call>\n${JSON_CALL}`, '', [WEATHER]],
  [
    'a tag in a text',
    `<tool_call>{"name":"clock","arguments":{"a":"<tool_call>"}}</tool_call>`,
    '',
    [{ name: 'clock', arguments: '{"a": "<tool_call>"}' }],
  ],
  [
    'arguments as text',
    `<tool_call>{"name":"clock","arguments":"{\\"a\\":1}"}</tool_call>`,
    '',
    [{ name: 'clock', arguments: '{"a":1}' }],
  ],
  [
    'numbers as written',
    '<tool_call>{"name":"clock","arguments":{"a":12345678901234567890,"b":1.0}}</tool_call>',
    '',
    [{ name: 'clock', arguments: '{"a": 12345678901234567890, "b": 1.0}' }],
  ],
  [
    'Qwen3-Coder',
    '<tool_call>\n<function=weather>\n<parameter=city>\n12\n</parameter>\n<parameter=days>\n2\n</parameter>\n' +
      '<parameter=where>\n[{"x": 1.5}]\n</parameter>\n</function>\n</tool_call>',
    '',
    [{ name: 'weather', arguments: '{"city": "12", "days": 2, "where": [{"x": 1.5}]}' }],
  ],
  ['Llama 3', '{"name": "weather", "parameters": {"city": "Köln", "days": 2}}', '', [WEATHER]],
  ['Llama 3, tag', '<|python_tag|>{"name": "weather", "parameters": {"city": "Köln", "days": 2}}', '', [WEATHER]],
  [
    'Llama 3, two',
    '<|python_tag|>{"name": "clock", "parameters": {}}; {"name": "clock", "parameters": {"a": "}"}}',
    '',
    [
      { name: 'clock', arguments: '{}' },
      { name: 'clock', arguments: '{"a": "}"}' },
    ],
  ],
];
const asText = [
  'Hello.',
  '  leading and trailing  \n',
  `Hello <tool_call>\n{"name": "weather", "arguments": {"city": }}\n</tool_call> there`,
  `<tool_call>\n{"name": "weather", "argu`,
  '<tool_call>{"arguments": {}}</tool_call>',
  '<tool_call>{"name": 3, "arguments": {}}</tool_call>',
  '<tool_call>{"name": "clock", "arguments": [1]}</tool_call>',
  '<tool_call><function=clock>what</function></tool_call>',
  '{"name": "unknown", "parameters": {}}',
  '{"name": "weather", "parameters": {"city": "K',
  '{"answer": 3}',
  '{"name": "clock", "parameters": {}} and more',
  '<|python_tag|>print(1)',
  '1 < 2, a <tool, <tool_call',
];

const all = [...cases, ...asText.map(text => [text, text, text, []] as [string, string, string, FunctionCall[]])];
test.each(all)('%s', (_name, answer, text, calls) => {
  const expected = { text, calls };
  expect(read([answer])).toEqual(expected);
  expect(read([...answer])).toEqual(expected);
  const rng = createRng(answer);
  for (let round = 0; round < 50; round++) {
    const pieces: string[] = [];
    for (let at = 0; at < answer.length;) pieces.push(answer.slice(at, (at += 1 + rng.int(12))));
    expect(read(pieces), JSON.stringify(pieces)).toEqual(expected);
  }
});

test('text is streamed up to what may be a call', () => {
  const reader = new ToolCalls(TOOLS);
  expect(['Hi', ' there', '. ', 'A <too', 'l>'].map(piece => reader.push(piece))).toEqual([
    'Hi',
    ' there',
    '.',
    ' A',
    ' <tool>',
  ]);
});

test('deep arguments stay text or are read, and never fail', () => {
  for (const depth of [100, 450, 5000]) {
    const answer = `<tool_call>{"name": "clock", "arguments": {"a": ${'['.repeat(depth)}${']'.repeat(depth)}}}</tool_call>`;
    const { text, calls } = read([answer]);
    expect(calls.length === 1 ? '' : text).toBe(calls.length === 1 ? '' : answer);
  }
});
