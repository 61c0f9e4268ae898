// The server by the official `openai` client and by `@ai-sdk/openai-compatible`, both unchanged, over a scripted session: shapes of
// answers and chunks, parameters, errors.
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { generateText, jsonSchema, streamText, tool } from 'ai';
import OpenAI, { APIError } from 'openai';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startServer, type RunningServer } from '../../../../extension/src/engine/serve/server.js';
import { CONTEXT_LENGTH, scriptedSession, type ScriptedSession } from '../../../support/scriptedSession.js';

let session: ScriptedSession;
let server: RunningServer;
let client: OpenAI;
const faults: unknown[] = [];

beforeEach(async () => {
  session = scriptedSession(['pirate', 'haiku']);
  faults.length = 0;
  server = await startServer(session, { host: '127.0.0.1', port: 0, onFault: error => faults.push(error) });
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none', maxRetries: 0 });
});
afterEach(() => {
  session.release();
  return server.end();
});

const messages = [{ role: 'user' as const, content: 'Hi' }];
const called = (tool_calls: unknown) => ({ role: 'assistant', content: null, tool_calls });
const chat = (more: object = {}) =>
  client.chat.completions.create({ model: 'base', messages, ...more }) as Promise<OpenAI.ChatCompletion>;
const collect = async <T>(stream: AsyncIterable<T>): Promise<T[]> => {
  const chunks: T[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
};
const sent = () => session.requests.at(-1)!;

async function failure(request: Promise<unknown>): Promise<APIError> {
  const error = await request.then(
    () => expect.fail('the request succeeded'),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(APIError);
  return error as APIError;
}

describe('models', () => {
  it('lists the base under its own name and as `base`, and each adapter', async () => {
    const models = await collect(client.models.list());
    expect(models.map(({ id }) => id)).toEqual(['org/tiny', 'base', 'pirate', 'haiku']);
    expect(models[2]).toMatchObject({ object: 'model', owned_by: 'tunewright', parent: 'org/tiny' });
    expect(server.models).toEqual(['org/tiny', 'base', 'pirate', 'haiku']);
  });

  it('tells of one model, also of a name with a slash and of a mixture', async () => {
    expect(await client.models.retrieve('org/tiny')).toMatchObject({ id: 'org/tiny', max_model_len: CONTEXT_LENGTH });
    expect(await client.models.retrieve('pirate:0.5+haiku')).toMatchObject({ id: 'pirate:0.5+haiku' });
    expect(await failure(client.models.retrieve('none'))).toMatchObject({ status: 404, code: 'model_not_found' });
  });

  it.each([
    ['base', []],
    ['org/tiny', []],
    ['pirate', [{ name: 'pirate', weight: 1 }]],
    [
      'pirate:0.7+haiku:0.3',
      [
        { name: 'pirate', weight: 0.7 },
        { name: 'haiku', weight: 0.3 },
      ],
    ],
  ])('%s answers with %j, under the name that was asked for', async (model, adapters) => {
    expect((await chat({ model })).model).toBe(model);
    expect(sent().adapters).toEqual(adapters);
  });

  it('an unknown name is 404 model_not_found, a strength that is not allowed 400', async () => {
    for (const model of [
      'pirate:3',
      'pirate:-1',
      'pirate:0x1',
      'pirate:1e400',
      'pirate: 1',
      'pirate:1.5+haiku+pirate:1',
    ])
      expect(await failure(chat({ model })), model).toMatchObject({ status: 400, param: 'model' });
    for (const model of ['gpt-4o', 'pirate+none', 'pirate:', 'base+pirate'])
      expect(await failure(chat({ model })), model).toMatchObject(
        model === 'pirate:'
          ? { status: 400, param: 'model' }
          : { status: 404, code: 'model_not_found', param: 'model' },
      );
  });
});

describe('chat completions', () => {
  it('answers with message, reason and usage', async () => {
    expect(await chat()).toEqual({
      id: expect.stringMatching(/^chatcmpl-[0-9a-f]{32}$/),
      object: 'chat.completion',
      created: expect.any(Number),
      model: 'base',
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: 'Hello world', refusal: null },
          logprobs: null,
          finish_reason: 'stop',
        },
      ],
      usage: {
        prompt_tokens: 7,
        completion_tokens: 3,
        total_tokens: 10,
        prompt_tokens_details: { cached_tokens: 3 },
        completion_tokens_details: { reasoning_tokens: 1 },
      },
    });
  });

  it('streams: role, pieces, reason; usage in a chunk of its own only if asked for', async () => {
    const stream = (more: object) => client.chat.completions.create({ model: 'base', messages, stream: true, ...more });
    const chunks = await collect(await stream({ stream_options: { include_usage: true } }));
    expect(new Set(chunks.map(({ id }) => id)).size).toBe(1);
    expect(chunks.map(({ choices }) => choices[0]?.delta)).toEqual([
      { role: 'assistant', content: '' },
      { content: 'Hello' },
      { content: ' ' },
      { content: 'world' },
      {},
      undefined,
    ]);
    expect(chunks.map(({ choices }) => choices[0]?.finish_reason)).toEqual([null, null, null, null, 'stop', undefined]);
    expect(chunks.slice(0, -1).map(({ usage }) => usage)).toEqual([null, null, null, null, null]);
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { total_tokens: 10 } });
    for (const chunk of await collect(await stream({}))) expect(chunk).not.toHaveProperty('usage');
  });

  it('passes every sampling parameter on, with the defaults of OpenAI', async () => {
    await chat();
    expect(sent().sampling).toEqual({
      max_new_tokens: CONTEXT_LENGTH,
      temperature: 1,
      top_p: 1,
      top_k: 0,
      min_p: 0,
      repetition_penalty: 1,
      presence_penalty: 0,
      frequency_penalty: 0,
      seed: expect.any(Number),
      stop: [],
    });
    const given = { temperature: 0.3, top_p: 0.9, top_k: 40, min_p: 0.1, repetition_penalty: 1.2 };
    await chat({ ...given, presence_penalty: 0.5, frequency_penalty: -0.5, seed: 7, stop: 'X', max_tokens: 2 });
    expect(sent().sampling).toEqual({
      ...given,
      ...{ presence_penalty: 0.5, frequency_penalty: -0.5, seed: 7, stop: ['X'], max_new_tokens: 2 },
    });
    await chat({ max_completion_tokens: 1, stop: ['a', 'b'], top_k: -1, seed: -1 });
    expect(sent().sampling).toMatchObject({ max_new_tokens: 1, stop: ['a', 'b'], top_k: 0, seed: 2 ** 32 - 1 });
    await chat({ temperature: null, stop: null, seed: null, tools: null, response_format: null });
    expect(sent().sampling).toMatchObject({ temperature: 1, stop: [] });
  });

  it('a seed that is not given differs from request to request', async () => {
    await chat();
    await chat();
    const [first, second] = session.requests.map(({ sampling }) => sampling?.seed);
    expect(first).not.toBe(second);
  });

  it('says when an answer is cut', async () => {
    expect((await chat({ max_tokens: 1 })).choices[0]).toMatchObject({
      message: { content: 'Hello' },
      finish_reason: 'length',
    });
  });

  it('gives n answers with seeds of their own; the prompt counts once', async () => {
    const { choices, usage } = await chat({ n: 3, seed: 5 });
    expect(choices.map(({ index }) => index)).toEqual([0, 1, 2]);
    expect(session.requests.map(({ sampling }) => sampling?.seed)).toEqual([5, 6, 7]);
    expect(usage).toMatchObject({ prompt_tokens: 7, completion_tokens: 9 });
    const chunks = await collect(await client.chat.completions.create({ model: 'base', messages, n: 2, stream: true }));
    for (const index of [0, 1]) {
      const own = chunks.flatMap(({ choices: [choice] }) => (choice?.index === index ? [choice] : []));
      expect(own.map(({ delta }) => delta.content ?? '').join('')).toBe('Hello world');
      expect(own.at(-1)?.finish_reason).toBe('stop');
    }
  });

  it('has log-probabilities with bytes and alternatives, whole and in chunks', async () => {
    const { choices } = await chat({ logprobs: true, top_logprobs: 1 });
    const content = [
      { token: 'Hello', logprob: -0.5, bytes: [72, 101, 108, 108, 111] },
      { token: ' ', logprob: -1, bytes: [32] },
      // JSON has no -Infinity.
      { token: 'world', logprob: -9999, bytes: [119, 111, 114, 108, 100] },
    ];
    expect(choices[0]!.logprobs!.content).toMatchObject(content);
    expect(choices[0]!.logprobs!.content![1]!.top_logprobs).toEqual([{ token: ' ', logprob: -1, bytes: [32] }]);
    const stream = client.chat.completions.create({ model: 'base', messages, logprobs: true, stream: true });
    const chunks = await collect(await stream);
    expect(chunks.flatMap(({ choices: [choice] }) => choice?.logprobs?.content ?? [])).toMatchObject(content);
    await chat({ logprobs: false });
    expect(sent().top_logprobs).toBeNull();
    await chat({ logprobs: true });
    expect(sent().top_logprobs).toBe(0);
  });

  it('has no bytes for a token that is only a part of a character', async () => {
    session.answers({ pieces: ['\u{1F600}', '\uFFFD'] });
    const { choices } = await chat({ logprobs: true });
    expect(choices[0]!.logprobs!.content!.map(({ bytes }) => bytes)).toEqual([[240, 159, 152, 128], null]);
  });

  it('shows reasoning beside the content, whole and in chunks, and takes it back in messages', async () => {
    session.answers({ text: 'Yes.', reasoning: 'Well...' });
    expect((await chat()).choices[0]!.message).toMatchObject({ content: 'Yes.', reasoning_content: 'Well...' });
    await chat({ messages: [...messages, { role: 'assistant', content: 'Yes.', reasoning_content: 'Well...' }] });
    expect(sent().messages![1]).toEqual({ role: 'assistant', content: 'Yes.', reasoning_content: 'Well...' });
  });

  it('passes tools, documents and template variables to the template, and calls back, whole and in chunks', async () => {
    const tools = [{ type: 'function' as const, function: { name: 'weather', parameters: { type: 'object' } } }];
    const call = { id: 'call_1', name: 'weather', arguments: '{"city":"Bern"}' };
    session.answers({ pieces: [], text: '', tool_calls: [call], finish_reason: 'tool_calls' });
    const shown = { id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{"city":"Bern"}' } };
    const { choices } = await chat({
      tools,
      documents: [{ text: 'a' }],
      chat_template_kwargs: { enable_thinking: false },
    });
    expect(choices[0]).toMatchObject({
      message: { content: null, tool_calls: [shown] },
      finish_reason: 'tool_calls',
    });
    expect(sent()).toMatchObject({ tools, documents: [{ text: 'a' }], template_variables: { enable_thinking: false } });
    const stream = client.chat.completions.create({ model: 'base', messages, tools, stream: true });
    const chunks = await collect(await stream);
    expect(chunks.flatMap(({ choices: [choice] }) => choice?.delta.tool_calls ?? [])).toEqual([{ index: 0, ...shown }]);
    expect(chunks.at(-1)!.choices[0]!.finish_reason).toBe('tool_calls');
    await chat({ tools, tool_choice: 'none' });
    expect(sent().tools).toBeUndefined();
    const later = [
      { role: 'assistant', content: null, tool_calls: [shown] },
      { role: 'tool', tool_call_id: 'call_1', content: '20 C' },
    ];
    await chat({ messages: [...messages, ...later] });
    expect(sent().messages).toEqual([...messages, ...later]);
  });

  it('takes text parts, joined by line ends, and the role developer as system', async () => {
    const parts = [
      { type: 'text', text: 'a' },
      { type: 'text', text: 'b' },
    ];
    await chat({
      messages: [
        { role: 'developer', content: 'D' },
        { role: 'user', content: parts },
      ],
    });
    expect(sent().messages).toEqual([
      { role: 'system', content: 'D' },
      { role: 'user', content: 'a\nb' },
    ]);
  });

  it('says how many turns were left out of a long conversation', async () => {
    session.answers({ dropped_turns: 4 });
    expect(await chat()).toMatchObject({ dropped_turns: 4 });
    const stream = client.chat.completions.create({ model: 'base', messages, stream: true });
    expect((await collect(await stream)).at(-1)).toMatchObject({ choices: [], dropped_turns: 4 });
  });
});

describe('completions', () => {
  const complete = (more: object = {}) =>
    client.completions.create({ model: 'base', prompt: 'Once', ...more }) as Promise<OpenAI.Completion>;

  it('continues a text, by 16 tokens unless told otherwise', async () => {
    expect(await complete()).toMatchObject({
      id: expect.stringMatching(/^cmpl-/),
      object: 'text_completion',
      choices: [{ index: 0, text: 'Hello world', logprobs: null, finish_reason: 'stop' }],
    });
    expect(sent()).toMatchObject({ prompt: 'Once', sampling: { max_new_tokens: 16, temperature: 1 } });
    expect(sent().messages).toBeUndefined();
  });

  it('continues several prompts, n times each', async () => {
    const { choices, usage } = await complete({ prompt: ['a', 'b'], n: 2 });
    expect(choices.map(({ index }) => index)).toEqual([0, 1, 2, 3]);
    expect(session.requests.map(({ prompt }) => prompt)).toEqual(['a', 'a', 'b', 'b']);
    expect(usage).toMatchObject({ prompt_tokens: 14, completion_tokens: 12 });
  });

  it('has log-probabilities with offsets, whole and in chunks', async () => {
    const whole = (await complete({ logprobs: 2 })).choices[0]!.logprobs;
    expect(whole).toEqual({
      tokens: ['Hello', ' ', 'world'],
      token_logprobs: [-0.5, -1, -9999],
      top_logprobs: [
        { Hello: -0.5, x: -7 },
        { ' ': -1, x: -7 },
        { world: -1.5, x: -7 },
      ],
      text_offset: [0, 5, 6],
    });
    const chunks = await collect(
      await client.completions.create({ model: 'base', prompt: 'Once', logprobs: 2, stream: true }),
    );
    expect(chunks.map(({ choices }) => choices[0]!.text).join('')).toBe('Hello world');
    expect(chunks.flatMap(({ choices }) => choices[0]!.logprobs?.text_offset ?? [])).toEqual([0, 5, 6]);
    expect(chunks.at(-1)!.choices[0]!.finish_reason).toBe('stop');
  });

  it('refuses token ids', async () => {
    expect(await failure(complete({ prompt: [1, 2] }))).toMatchObject({ status: 400, param: 'prompt' });
  });
});

describe('errors', () => {
  it.each([
    [{ response_format: { type: 'json_object' } }, 'response_format', 'unsupported_parameter'],
    [{ tool_choice: 'required' }, 'tool_choice', 'unsupported_parameter'],
    [{ logit_bias: { 5: 1 } }, 'logit_bias', 'unsupported_parameter'],
    [{ parallel_tool_calls: false }, 'parallel_tool_calls', 'unsupported_parameter'],
    [{ reasoning_effort: 'low' }, 'reasoning_effort', 'unsupported_parameter'],
    [{ functions: [{ name: 'f' }] }, 'functions', 'unsupported_parameter'],
    [{ guided_json: {} }, 'guided_json', 'unknown_parameter'],
    [{ temprature: 1 }, 'temprature', 'unknown_parameter'],
    [{ temperature: -1 }, 'temperature', null],
    [{ repetition_penalty: 1e-300 }, 'repetition_penalty', null],
    [{ n: 17 }, 'n', null],
    [{ max_tokens: 0 }, 'max_tokens', null],
    [{ top_logprobs: 3 }, 'top_logprobs', null],
    [{ logprobs: true, top_logprobs: 21 }, 'top_logprobs', null],
    [{ messages: [] }, 'messages', null],
    [{ messages: [{ role: 'bot', content: '' }] }, 'messages[0].role', null],
    [{ messages: [{ role: 'user', content: 5 }] }, 'messages[0].content', null],
    [{ tools: [{ type: 'function' }] }, 'tools[0].function', null],
    [
      { tools: [{ type: 'function', function: { name: 'f', parameters: 'city' } }] },
      'tools[0].function.parameters',
      null,
    ],
    [{ tools: [{ type: 'custom', custom: { name: 'f' } }] }, 'tools[0].type', null],
    [
      { tools: [{ type: 'function', function: { name: 'f', strict: true } }] },
      'tools[0].function.strict',
      'unsupported_parameter',
    ],
    [{ chat_template_kwargs: [] }, 'chat_template_kwargs', null],
    [{ chat_template_kwargs: { thinking: true } }, 'chat_template_kwargs.thinking', 'unknown_parameter'],
    [{ stream_options: { include_usage: true } }, 'stream_options', null],
    [{ stream: true, stream_options: { include_usge: true } }, 'stream_options.include_usge', null],
    [{ max_tokens: 3, max_completion_tokens: 4 }, 'max_tokens', null],
    [{ model: 'x'.repeat(5000) }, 'model', null],
    [{ messages: [{ role: 'user' }] }, 'messages[0].content', null],
    [{ messages: [{ role: 'tool', content: null, tool_call_id: 'a' }] }, 'messages[0].content', null],
    [{ messages: [{ role: 'assistant', content: null }] }, 'messages[0].content', null],
    [{ messages: [{ role: 'assistant', content: null, tool_calls: [] }] }, 'messages[0].content', null],
    [{ messages: [called('x')] }, 'messages[0].tool_calls', null],
    [{ messages: [called([null])] }, 'messages[0].tool_calls[0]', null],
    [{ messages: [called([{ type: 'function' }])] }, 'messages[0].tool_calls[0].function', null],
    [
      { messages: [called([{ type: 'function', function: { name: 'f', arguments: '{"a":' } }])] },
      'messages[0].tool_calls[0].function.arguments',
      null,
    ],
    [
      { messages: [{ role: 'assistant', content: '', function_call: { name: 'f', arguments: '{}' } }] },
      'messages[0].function_call',
      'unsupported_parameter',
    ],
  ])('%j names its parameter', async (more, param, code) => {
    const error = await failure(chat(more));
    expect(error).toMatchObject({ status: 400, type: 'invalid_request_error', param, code });
    expect(error.message).toContain(param.replace(/^.*\./, ''));
    expect(session.requests).toEqual([]);
  });

  it('images are refused by name', async () => {
    const content = [{ type: 'image_url', image_url: { url: 'data:,' } }];
    const error = await failure(chat({ messages: [{ role: 'user', content }] }));
    expect(error).toMatchObject({ status: 400, param: 'messages[0].content[0]', code: 'unsupported_content' });
    expect(error.message).toContain('"image_url"');
  });

  it('a call without arguments may have an empty text, and both names of a length may agree', async () => {
    const calls = [{ id: 'a', type: 'function', function: { name: 'f', arguments: '' } }];
    await chat({ messages: [...messages, called(calls)], max_tokens: 2, max_completion_tokens: 2 });
    expect(sent().messages![1]!.tool_calls).toMatchObject([{ function: { name: 'f', arguments: '{}' } }]);
    expect(sent().sampling!.max_new_tokens).toBe(2);
  });

  it('what no answer depends on is accepted', async () => {
    const without = { user: 'u', store: true, metadata: { a: 'b' }, service_tier: 'auto', parallel_tool_calls: true };
    await chat({ ...without, response_format: { type: 'text' }, logit_bias: {}, modalities: ['text'] });
    expect(session.requests).toHaveLength(1);
  });

  it('a prompt that is longer than the context is context_length_exceeded, also as a stream', async () => {
    const content = 'a '.repeat(CONTEXT_LENGTH);
    for (const stream of [false, true]) {
      const error = await failure(chat({ messages: [{ role: 'user', content }], stream }));
      expect(error).toMatchObject({ status: 400, code: 'context_length_exceeded', param: 'messages' });
    }
  });

  it('a model without a chat template is refused for chats', async () => {
    session.facts.has_chat_template = false;
    expect((await failure(chat())).message).toContain('/v1/completions');
  });

  it('a fault is 500 without a stack trace, and told to the owner', async () => {
    const fault = new Error('broken tensor');
    session.failWith(fault, 'before');
    const error = await failure(chat());
    expect(error).toMatchObject({ status: 500, type: 'server_error' });
    expect(JSON.stringify(error.error)).not.toContain('    at ');
    expect(faults).toEqual([fault]);
  });

  it('a stream that fails after its beginning says so in the stream', async () => {
    session.failWith(new Error('broken tensor'), 'after');
    const stream = await client.chat.completions.create({ model: 'base', messages, stream: true });
    await expect(collect(stream)).rejects.toThrow('broken tensor');
  });

  it('if one of several answers fails, the others are cancelled', async () => {
    session.hold();
    const asked = failure(chat({ n: 3 }));
    await expect.poll(() => session.open()).toBe(3);
    session.failWith(new Error('broken tensor'), 'after');
    session.release();
    expect(await asked).toMatchObject({ status: 500 });
    await expect.poll(() => session.open()).toBe(0);
  });
});

describe('a client that goes away', () => {
  it.each([true, false])('frees its slot (stream: %s)', async stream => {
    session.hold();
    const stop = new AbortController();
    const request = client.chat.completions.create({ model: 'base', messages, stream, n: 2 }, { signal: stop.signal });
    if (stream) await request;
    await expect.poll(() => session.open()).toBe(2);
    request.catch(() => {});
    stop.abort();
    await expect.poll(() => session.open()).toBe(0);
  });

  it('frees its slot when it ends a stream early', async () => {
    session.hold();
    const stream = await client.chat.completions.create({ model: 'base', messages, stream: true });
    for await (const _ of stream) break;
    await expect.poll(() => session.open()).toBe(0);
  });
});

describe('@ai-sdk/openai-compatible', () => {
  const provider = () =>
    createOpenAICompatible({ name: 'tunewright', baseURL: `${server.url}/v1`, includeUsage: true });

  it('generates text', async () => {
    const { text, usage, finishReason } = await generateText({ model: provider()('pirate'), prompt: 'Hi', seed: 3 });
    expect({ text, finishReason }).toEqual({ text: 'Hello world', finishReason: 'stop' });
    expect(usage).toMatchObject({ inputTokens: 7, outputTokens: 3 });
    expect(sent()).toMatchObject({ adapters: [{ name: 'pirate' }], sampling: { seed: 3 } });
  });

  it('streams text with usage', async () => {
    const result = streamText({ model: provider()('base'), prompt: 'Hi' });
    expect((await collect(result.textStream)).join('')).toBe('Hello world');
    expect(await result.usage).toMatchObject({ inputTokens: 7, outputTokens: 3 });
  });

  it.each(['generate', 'stream'])('gets reasoning and calls of tools (%s)', async way => {
    session.answers({
      pieces: [],
      text: '',
      reasoning: way === 'generate' ? 'Well...' : '',
      tool_calls: [{ id: 'call_1', name: 'weather', arguments: '{"city":"Bern"}' }],
      finish_reason: 'tool_calls',
    });
    const schema = jsonSchema<{ city: string }>({ type: 'object', properties: { city: { type: 'string' } } });
    const request = {
      model: provider()('base'),
      prompt: 'How is the weather?',
      tools: { weather: tool({ inputSchema: schema }) },
    };
    const result = way === 'generate' ? await generateText(request) : streamText(request);
    expect(await result.toolCalls).toMatchObject([{ toolName: 'weather', input: { city: 'Bern' } }]);
    expect(await result.finishReason).toBe('tool-calls');
    if (way === 'generate') expect(await result.reasoningText).toBe('Well...');
  });

  it('continues a text', async () => {
    const { text } = await generateText({ model: provider().completionModel('base'), prompt: 'Once' });
    expect(text).toBe('Hello world');
  });

  it('reports errors by their message', async () => {
    await expect(generateText({ model: provider()('none'), prompt: 'Hi', maxRetries: 0 })).rejects.toThrow(
      'The model "none" does not exist.',
    );
  });
});
