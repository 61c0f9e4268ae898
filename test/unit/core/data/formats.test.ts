import { describe, expect, test } from 'vitest';
import type { Row } from '../../../../extension/src/core/data/example.js';
import { formatByName, resolveFormat } from '../../../../extension/src/core/data/resolveFormat.js';
import recordedPreferences from '../../../fixtures/datasets/preferences.json' with { type: 'json' };

const source = { file: 'rows.jsonl', line: 7 };
const parse = (format: string, row: Row) => formatByName(format).parse(row, source);
const failsWith = (format: string, row: Row, message: RegExp) =>
  expect(() => parse(format, row)).toThrow(
    expect.objectContaining({ name: 'InputError', where: 'rows.jsonl:7', message: expect.stringMatching(message) }),
  );

describe('alpaca', () => {
  test('is a chat, with its plain text for models without a template', () => {
    const row = { instruction: 'Add', input: '2 3', output: '5', system: 'Calculate.', history: [['Hi', 'Hello']] };
    expect(parse('alpaca', row)).toEqual({
      kind: 'chat',
      messages: [
        { role: 'system', content: 'Calculate.' },
        { role: 'user', content: 'Hi' },
        { role: 'assistant', content: 'Hello' },
        { role: 'user', content: 'Add\n\n2 3' },
        { role: 'assistant', content: '5' },
      ],
      plain: {
        prompt:
          'Calculate.\n\n### Instruction:\nHi\n\n### Response:\nHello\n\n' +
          '### Instruction:\nAdd\n\n### Input:\n2 3\n\n### Response:\n',
        completion: '5',
      },
    });
  });

  test('empty and null optional fields count as missing; history may be JSON, as in CSV', () => {
    const row = { instruction: 'Add', input: '', output: '5', system: null, history: '[["a","b"]]' };
    expect(parse('alpaca', row)).toMatchObject({
      messages: [{ content: 'a' }, { content: 'b' }, { content: 'Add' }, {}],
    });
  });

  test('errors', () => {
    failsWith('alpaca', { instruction: 'Add' }, /"output" is missing; the row has instruction/);
    failsWith('alpaca', { instruction: 'Add', output: 5 }, /"output" must be a text, but is a number/);
    failsWith('alpaca', { instruction: 'Add', output: '5', history: [['a']] }, /history\[0\] must be a pair/);
  });
});

describe('sharegpt', () => {
  const turn = (from: string, value = from) => ({ from, value });

  test('roles, calls and observations', () => {
    const call = '{"name": "f", "arguments": {"x": 1}}';
    const conversations = [turn('human'), turn('function_call', call), turn('observation'), turn('gpt')];
    expect(parse('sharegpt', { conversations, system: 'S', tools: '[{"name": "f"}]' })).toEqual({
      kind: 'chat',
      messages: [
        { role: 'system', content: 'S' },
        { role: 'user', content: 'human' },
        {
          role: 'assistant',
          content: '',
          tool_calls: [{ type: 'function', function: { name: 'f', arguments: { x: 1 } } }],
        },
        { role: 'tool', content: 'observation' },
        { role: 'assistant', content: 'gpt' },
      ],
      tools: [{ name: 'f' }],
    });
  });

  test('a system turn of the conversation takes precedence over the column', () => {
    const row = { conversations: [turn('system', 'own'), turn('human'), turn('gpt')], system: 'column' };
    expect(parse('sharegpt', row)).toMatchObject({ messages: [{ content: 'own' }, {}, {}] });
  });

  test('turns of any order, by the names of other tools', () => {
    const rolesOf = (...from: string[]) => {
      const example = parse('sharegpt', { conversations: from.map(name => turn(name)) });
      return example.kind === 'chat' ? example.messages.map(({ role }) => role) : [];
    };
    expect(rolesOf('gpt', 'human', 'gpt', 'gpt', 'system')).toEqual([
      ...['assistant', 'user', 'assistant', 'assistant', 'system'],
    ]);
    expect(rolesOf('User', 'chatgpt', 'prompter', 'bot', 'model', 'Assistant')).toEqual([
      ...['user', 'assistant', 'user', 'assistant', 'assistant', 'assistant'],
    ]);
    expect(rolesOf('tool', 'observation', 'function_response', 'tool_response')).toEqual(Array(4).fill('tool'));
  });

  test('errors', () => {
    failsWith('sharegpt', { conversations: [turn('narrator')] }, /is from "narrator"/);
    failsWith('sharegpt', { conversations: [{ from: 'human' }] }, /conversations\[0\] must be/);
    failsWith('sharegpt', { conversations: [] }, /is empty/);
    failsWith('sharegpt', { conversations: 'human: hi' }, /must be a list, but is a text/);
  });
});

describe('messages', () => {
  test('parts are joined, nulls of Parquet removed; null content and the text of arguments stay', () => {
    const messages = [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'a' },
          { type: 'text', text: 'b' },
        ],
        tool_calls: null,
      },
      { role: 'assistant', content: null, tool_calls: [{ function: { name: 'f', arguments: '{"x":1}' } }] },
    ];
    expect(parse('messages', { messages, tools: [] })).toEqual({
      kind: 'chat',
      messages: [
        { role: 'user', content: 'ab' },
        { role: 'assistant', content: null, tool_calls: [{ function: { name: 'f', arguments: '{"x":1}' } }] },
      ],
      tools: undefined,
      templateVariables: undefined,
    });
  });

  test('roles by the names of other tools; those that only a template knows are kept', () => {
    const roles = ['developer', 'human', 'gpt', 'ipython', 'model'];
    expect(parse('messages', { messages: roles.map(role => ({ role, content: 'a' })) })).toMatchObject({
      messages: ['developer', 'user', 'assistant', 'ipython', 'assistant'].map(role => ({ role })),
    });
    const calls = [
      { role: 'user', content: 'a' },
      { role: 'tool_call', content: '{"name": "f", "arguments": {"x": 1}}' },
      { role: 'tool_response', content: '2' },
    ];
    expect(parse('messages', { messages: calls })).toMatchObject({
      messages: [
        {},
        {
          role: 'assistant',
          content: '',
          tool_calls: [{ type: 'function', function: { name: 'f', arguments: { x: 1 } } }],
        },
        { role: 'tool', content: '2' },
      ],
    });
  });

  test('errors', () => {
    failsWith('messages', { messages: [] }, /"messages" is empty/);
    failsWith('messages', { messages: ['hi'] }, /messages\[0\] must be .* but is a text/);
    failsWith('messages', { messages: [{ content: 'x' }] }, /messages\[0\] has no "role"/);
    failsWith('messages', { messages: [{ role: 'user' }] }, /messages\[0\] has no "content"/);
    const image = [{ role: 'user', content: [{ type: 'image_url', image_url: {} }] }];
    failsWith('messages', { messages: image }, /a part that isn't text \("image_url"\)/);
  });
});

describe('reasoning', () => {
  const parts = [
    { type: 'thinking', thinking: 'They greet. ', signature: 'x' },
    { type: 'reasoning', text: 'Be kind.' },
    { type: 'text', text: 'Hello.' },
  ];
  const answer = { role: 'assistant', content: 'Hello.' };

  test.each(['reasoning_content', 'thinking', 'reasoning'])('%s stays as the turn has it', key => {
    const messages = [
      { role: 'user', content: 'Hi' },
      { ...answer, [key]: 'They greet.' },
    ];
    expect(parse('messages', { messages })).toMatchObject({ messages: [{}, { ...answer, [key]: 'They greet.' }] });
    const conversations = [
      { from: 'human', value: 'Hi' },
      { from: 'gpt', value: 'Hello.', [key]: 'They greet.' },
    ];
    expect(parse('sharegpt', { conversations })).toMatchObject({ messages: [{}, { ...answer, [key]: 'They greet.' }] });
  });

  test('in parts of the content', () => {
    const expected = { messages: [{}, { ...answer, reasoning_content: 'They greet. Be kind.' }] };
    const messages = [
      { role: 'user', content: 'Hi' },
      { role: 'assistant', content: parts },
    ];
    expect(parse('messages', { messages })).toMatchObject(expected);
    const conversations = [
      { from: 'human', value: 'Hi' },
      { from: 'gpt', value: parts },
    ];
    expect(parse('sharegpt', { conversations })).toMatchObject(expected);
    const llamaFactory = [
      { type: 'reasoning', value: 'They greet.' },
      { type: 'text', value: 'Hello.' },
    ];
    expect(parse('messages', { messages: [{ role: 'assistant', content: llamaFactory }] })).toMatchObject({
      messages: [{ ...answer, reasoning_content: 'They greet.' }],
    });
  });

  test('twice, or hidden, is an error', () => {
    const twice = [{ role: 'assistant', content: parts, reasoning: 'They greet.' }];
    failsWith('messages', { messages: twice }, /the reasoning is both in "reasoning" and in a part of messages\[0\]/);
    const hidden = [{ role: 'assistant', content: [{ type: 'redacted_thinking', data: 'x' }] }];
    failsWith('messages', { messages: hidden }, /a part that isn't text \("redacted_thinking"\)/);
  });
});

describe('tools', () => {
  test('OpenAI’s older functions and function_call', () => {
    const call = { name: 'f', arguments: '{}' };
    const messages = [
      { role: 'user', content: 'Go' },
      { role: 'assistant', content: null, function_call: call },
    ];
    expect(parse('messages', { messages, functions: [{ name: 'f' }] })).toMatchObject({
      messages: [{}, { role: 'assistant', content: null, tool_calls: [{ type: 'function', function: call }] }],
      tools: [{ type: 'function', function: { name: 'f' } }],
    });
  });

  test('calls of a ShareGPT turn, as a key or as its value', () => {
    const call = { type: 'function', function: { name: 'f', arguments: {} } };
    const ask = { from: 'human', value: 'Go' };
    const expected = { messages: [{}, { role: 'assistant', content: '', tool_calls: [call] }] };
    for (const answer of [
      { from: 'gpt', value: '', tool_calls: [call] },
      { from: 'function_call', value: JSON.stringify(call.function) },
    ])
      expect(parse('sharegpt', { conversations: [ask, answer] })).toMatchObject(expected);
  });

  test('variables of the template, also as JSON', () => {
    const row = { messages: [{ role: 'user', content: 'Go' }] };
    for (const value of [{ enable_thinking: false }, '{"enable_thinking": false}'])
      expect(parse('messages', { ...row, chat_template_kwargs: value })).toMatchObject({
        templateVariables: { enable_thinking: false },
      });
    failsWith(
      'messages',
      { ...row, chat_template_kwargs: [1] },
      /"chat_template_kwargs" must be an object, but is a list/,
    );
  });
});

describe('prompt_completion', () => {
  test('texts, also ones that begin with a bracket', () => {
    const row = { prompt: '[1, 2] has length', completion: '[2]' };
    expect(parse('prompt_completion', row)).toEqual({ kind: 'completion', ...row });
  });

  test('message lists: only the completion is trained on', () => {
    const prompt = [
      { role: 'user', content: 'a' },
      { role: 'assistant', content: 'b' },
      { role: 'user', content: 'c' },
    ];
    const completion = [{ role: 'assistant', content: 'd' }];
    expect(parse('prompt_completion', { prompt, completion })).toMatchObject({ kind: 'chat', trainFrom: 3 });
    failsWith('prompt_completion', { prompt, completion: 'd' }, /must both be texts or both/);
  });
});

describe('preference', () => {
  const user = (content: string) => ({ role: 'user', content });
  const assistant = (content: string) => ({ role: 'assistant', content });

  test.each(recordedPreferences)('prompt and answers as TRL: $name', ({ row, parts }) => {
    expect(formatByName('preference').detect(row)).toBe(true);
    const example = parse('preference', row);
    if (example.kind !== 'preference') throw new Error('not a pair');
    for (const answer of ['chosen', 'rejected'] as const) {
      const { prompt, [answer]: text } = parts;
      expect(example[answer]).toMatchObject(
        typeof prompt === 'string'
          ? { kind: 'completion', prompt, completion: text }
          : { kind: 'chat', messages: [...prompt, ...(text as object[])], trainFrom: prompt.length },
      );
    }
  });

  test('rows are read as a format that trains wherever one fits', () => {
    const chosen = [user('a'), assistant('b')];
    const pair = { chosen, rejected: [user('a'), assistant('c')] };
    for (const [row, format] of [
      [{ prompt: 'a', chosen: 'b', rejected: 'c' }, 'preference'],
      [{ ...pair, score_chosen: 1, score_rejected: 0.5 }, 'preference'],
      // ultrafeedback_binarized has the chosen conversation as "messages", too.
      [{ prompt: 'a', ...pair, messages: chosen }, 'messages'],
      [{ prompt: 'a', completion: 'b', chosen: 'b', rejected: 'c' }, 'prompt_completion'],
      [{ text: 'a b', chosen: 'b', rejected: 'c' }, 'text'],
      [{ instruction: 'a', output: 'b', chosen: 'b', rejected: 'c' }, 'alpaca'],
      // LLaMA-Factory's pairs continue a conversation.
      [{ conversations: [{ from: 'human', value: 'a' }], chosen: pair.chosen, rejected: pair.rejected }, 'sharegpt'],
    ] as const) {
      expect(resolveFormat([{ row, source }], 'auto', {}).format.name).toBe(format);
    }
  });

  test('a prompt under the name of other tools', () => {
    const row = { question: 'a', chosen: 'b', rejected: 'c' };
    expect(resolveFormat([{ row, source }], 'auto', {})).toMatchObject({
      format: { name: 'preference' },
      columns: { prompt: 'question' },
    });
  });

  test('errors', () => {
    failsWith('preference', { prompt: 'a', chosen: 'b' }, /"rejected" is missing/);
    failsWith('preference', { prompt: 'a', chosen: 'b', rejected: [assistant('c')] }, /must both be texts or both/);
    failsWith('preference', { chosen: [], rejected: [] }, /"chosen" is empty/);
    failsWith('preference', { chosen: '', rejected: 'a' }, /"chosen" is empty/);
    failsWith('preference', { prompt: [user('a')], chosen: 'b', rejected: 'c' }, /"prompt" must be a text/);
    failsWith('preference', { prompt: 'a', chosen: 'b', rejected: 'c', images: ['x'] }, /"images" is media/);
  });
});

describe('text and tokenized', () => {
  test('text', () => {
    expect(parse('text', { text: 'a' })).toEqual({ kind: 'text', text: 'a' });
    failsWith('text', { txt: 'a' }, /"text" is missing/);
  });

  test('ids may be JSON; labels are the same ids or -100', () => {
    const expected = { kind: 'tokenized', inputIds: [1, 2], labels: [-100, 2] };
    expect(parse('tokenized', { input_ids: '[1, 2]', labels: [-100, 2] })).toEqual(expected);
    failsWith('tokenized', { input_ids: [1, 2], labels: [2, 2] }, /labels\[0\] is 2, but input_ids\[0\] is 1/);
    failsWith('tokenized', { input_ids: [1, 2], labels: [1] }, /"labels" has 1 entries, "input_ids" 2/);
    failsWith('tokenized', { input_ids: [1, 1.5] }, /input_ids\[1\] must be an integer/);
  });
});
