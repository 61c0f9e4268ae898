// Tools end to end: OpenAI's client and the AI SDK, the server, real chat templates, and answers as models of these families write
// them, with reasoning. What is said is scripted (spokenSession.ts).
import { readFileSync } from 'node:fs';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { generateText, jsonSchema, stepCountIs, streamText, tool } from 'ai';
import OpenAI from 'openai';
import { afterEach, describe, expect, it } from 'vitest';
import type { TextTokenizer } from '../../../../extension/src/core/text/textTokenizer.js';
import { startServer, type RunningServer } from '../../../../extension/src/engine/serve/server.js';
import { spokenSession, type SpokenSession } from '../../../support/spokenSession.js';
import { fixtureTokenizer } from '../../core/text/tokenizerFixtures.js';

let server: RunningServer | null = null;
afterEach(() => server?.end());

const withTemplate = (name: string): TextTokenizer => ({
  ...fixtureTokenizer('qwen'),
  chatTemplate: readFileSync(new URL(`../../../fixtures/templates/chats/${name}.jinja`, import.meta.url), 'utf8'),
});

async function serve(template: string, ...answers: string[]): Promise<{ session: SpokenSession; client: OpenAI }> {
  const session = spokenSession(withTemplate(template), answers);
  const onFault = (error: unknown) => expect.fail(String(error));
  server = await startServer(session, { host: '127.0.0.1', port: 0, onFault });
  return { session, client: new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none', maxRetries: 0 }) };
}

const parameters = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };
const tools = [
  { type: 'function' as const, function: { name: 'weather', description: 'The weather of a city', parameters } },
];
const user = { role: 'user' as const, content: 'How is the weather in Köln?' };
const ask = { model: 'base', messages: [user], tools };
const GIVEN = { city: 'Köln' };

const hermes = (name = 'weather') => `<tool_call>\n{"name": "${name}", "arguments": {"city": "Köln"}}\n</tool_call>`;
const coder = '<tool_call>\n<function=weather>\n<parameter=city>\nKöln\n</parameter>\n</function>\n</tool_call>';
const llama = '{"name": "weather", "parameters": {"city": "Köln"}}';

/** Family, answer that calls, text and reasoning before the call. */
const forms: [template: string, answer: string, text: string | null, reasoning?: string][] = [
  ['qwen2_5', hermes(), null],
  ['qwen2_5', `I look it up.\n${hermes()}`, 'I look it up.'],
  ['qwen3', `<think>\nA tool knows.\n</think>\n\n${hermes()}`, null, 'A tool knows.'],
  ['qwen3_5_think', `A tool knows.\n</think>\n\n${coder}`, null, 'A tool knows.'],
  ['llama3_1', llama, null],
  ['llama3_1', `<|python_tag|>${llama}`, null],
  ['llama3_2', llama, null],
];

describe.each(forms)('%s: %j', (template, answer, text, reasoning) => {
  // This template begins each answer with reasoning.
  const last = template === 'qwen3_5_think' ? '7 mm is much.\n</think>\n\nIt rains.' : 'It rains.';
  const reasons = reasoning ? { reasoning_content: reasoning } : {};

  it('a call, whole and as the client puts a stream together', async () => {
    const { session, client } = await serve(template, answer, answer);
    const whole = await client.chat.completions.create(ask);
    const [choice] = whole.choices;
    expect(choice).toMatchObject({ finish_reason: 'tool_calls', message: { content: text, ...reasons } });
    const [call] = choice!.message.tool_calls!;
    expect(call).toMatchObject({
      id: expect.stringMatching(/^call_/),
      type: 'function',
      function: { name: 'weather' },
    });
    expect(JSON.parse((call as OpenAI.ChatCompletionMessageFunctionToolCall).function.arguments)).toEqual(GIVEN);
    expect('reasoning_content' in choice!.message).toBe(reasoning !== undefined);
    const counted = whole.usage!.completion_tokens_details!.reasoning_tokens!;
    expect(counted > 0).toBe(reasoning !== undefined);
    expect(counted).toBeLessThan(whole.usage!.completion_tokens);

    const stream = client.chat.completions.stream({ ...ask, stream_options: { include_usage: true } });
    let thought = '';
    for await (const { choices } of stream) {
      const delta = choices[0]?.delta as { reasoning_content?: string } | undefined;
      thought += delta?.reasoning_content ?? '';
    }
    const put = await stream.finalChatCompletion();
    expect(put.choices[0]).toMatchObject({ finish_reason: 'tool_calls' });
    expect(put.choices[0]!.message.content ?? '').toBe(text ?? '');
    expect(put.choices[0]!.message.tool_calls).toMatchObject([
      {
        type: 'function',
        function: { name: 'weather', arguments: (call as { function: object }).function && expect.any(String) },
      },
    ]);
    expect(thought).toBe(reasoning ?? '');
    expect(put.usage).toEqual(whole.usage);
    expect(session.prompts[0]).toContain('The weather of a city');
  });

  it('the result of the tool is read in the next turn, and answered (the client runs the tool)', async () => {
    for (const stream of [false, true]) {
      const { session, client } = await serve(template, answer, last);
      const run = { name: 'weather', description: 'The weather of a city', parameters, parse: JSON.parse };
      const asked: unknown[] = [];
      const runner = client.chat.completions.runTools({
        ...{ model: 'base', messages: [user], stream: stream as false },
        tools: [{ type: 'function', function: { ...run, function: (given: unknown) => (asked.push(given), '7 mm') } }],
      });
      expect(await runner.finalContent()).toBe('It rains.');
      expect(asked).toEqual([GIVEN]);
      const [, second] = session.prompts;
      expect(second).toContain('7 mm');
      // The call itself, with its arguments as the model writes them: not a quoted text.
      expect(second).toMatch(/weather[^]*Köln[^]*weather[^]*Köln[^]*7 mm/);
      expect(second).not.toContain('\\"city\\"');
      await server!.end();
    }
  });

  it('the AI SDK runs the tool, whole and as a stream', async () => {
    for (const way of ['generate', 'stream']) {
      await serve(template, answer, last);
      const provider = createOpenAICompatible({ name: 'tunewright', baseURL: `${server!.url}/v1`, includeUsage: true });
      const asked: unknown[] = [];
      const request = {
        ...{ model: provider('base'), prompt: user.content, stopWhen: stepCountIs(3) },
        tools: {
          weather: tool({
            description: 'The weather of a city',
            inputSchema: jsonSchema<{ city: string }>(parameters as object),
            execute: async given => (asked.push(given), '7 mm'),
          }),
        },
      };
      const result = way === 'generate' ? await generateText(request) : streamText(request);
      expect(await result.text).toBe('It rains.');
      expect(asked).toEqual([GIVEN]);
      const [first] = await result.steps;
      expect(first!.reasoningText).toBe(reasoning);
      expect(first!.text).toBe(text ?? '');
      expect(first!.finishReason).toBe('tool-calls');
      await server!.end();
    }
  });
});

it('two calls in one answer have ids and indices of their own', async () => {
  const { client } = await serve('qwen2_5', `${hermes()}\n${hermes('clock')}`, `${hermes()}\n${hermes('clock')}`);
  const { choices } = await client.chat.completions.create(ask);
  const calls = choices[0]!.message.tool_calls!;
  expect(calls).toMatchObject([{ function: { name: 'weather' } }, { function: { name: 'clock' } }]);
  expect(new Set(calls.map(({ id }) => id)).size).toBe(2);
  const put = await client.chat.completions.stream(ask).finalChatCompletion();
  expect(put.choices[0]!.message.tool_calls).toMatchObject([
    { function: { name: 'weather' } },
    { function: { name: 'clock' } },
  ]);
});

it('an answer that is cut within a call is text and says so', async () => {
  const { client } = await serve('qwen2_5', hermes());
  const { choices } = await client.chat.completions.create({ ...ask, max_tokens: 8 });
  expect(choices[0]).toMatchObject({ finish_reason: 'length' });
  expect(choices[0]!.message.tool_calls).toBeUndefined();
  expect(choices[0]!.message.content).toMatch(/^<tool_call>/);
});

describe('tool_choice', () => {
  it('none: the model is not told of the tools, and nothing is read as a call', async () => {
    const { session, client } = await serve('qwen2_5', hermes());
    const { choices } = await client.chat.completions.create({ ...ask, tool_choice: 'none' });
    expect(session.prompts[0]).not.toContain('The weather of a city');
    expect(choices[0]).toMatchObject({ finish_reason: 'stop', message: { content: hermes() } });
  });

  it.each(['required', { type: 'function', function: { name: 'weather' } }, { type: 'allowed_tools' }])(
    '%j is refused, since answers are not held to it',
    async choice => {
      const { session, client } = await serve('qwen2_5', hermes());
      const request = client.chat.completions.create({ ...ask, tool_choice: choice as 'required' });
      await expect(request).rejects.toMatchObject({
        ...{ status: 400, type: 'invalid_request_error', param: 'tool_choice', code: 'unsupported_parameter' },
        message: expect.stringContaining('"auto" or "none"'),
      });
      expect(session.prompts).toEqual([]);
    },
  );
});

describe('what the chat template would leave out is refused by name', () => {
  it.each(['phi3', 'gemma'])('%s has no place for tools and documents', async template => {
    const { client } = await serve(template, 'Hello.', 'Hello.');
    for (const stream of [false, true])
      await expect(client.chat.completions.create({ ...ask, stream: stream as false })).rejects.toMatchObject({
        ...{ status: 400, param: 'tools' },
        message: expect.stringContaining('can’t be told of tools'),
      });
    const documents = { ...ask, tools: [], documents: [{ text: 'a' }] };
    await expect(client.chat.completions.create(documents)).rejects.toMatchObject({ status: 400, param: 'documents' });
    expect((await client.chat.completions.create({ ...ask, tools: [] })).choices[0]!.message.content).toBe('Hello.');
    const none = await client.chat.completions.create({ ...ask, tool_choice: 'none' });
    expect(none.choices).toHaveLength(1);
  });

  it('a variable that it does not read', async () => {
    const { client } = await serve('qwen3', 'Hello.');
    const request = (chat_template_kwargs: object) =>
      client.chat.completions.create({ ...ask, chat_template_kwargs } as typeof ask);
    for (const name of ['thinking', 'messages', 'add_generation_prompt', 'bos_token'])
      await expect(request({ [name]: true })).rejects.toMatchObject({
        ...{ status: 400, param: `chat_template_kwargs.${name}`, code: 'unknown_parameter' },
        message: expect.stringContaining('its variables: "enable_thinking"'),
      });
    await request({ enable_thinking: false });
  });

  it('a conversation that the template rejects', async () => {
    const { client } = await serve('llama3_1', '{}');
    const call = (id: string) => ({ id, type: 'function' as const, function: { name: 'weather', arguments: '{}' } });
    const two = { role: 'assistant' as const, content: null, tool_calls: [call('a'), call('b')] };
    await expect(client.chat.completions.create({ ...ask, messages: [user, two] })).rejects.toMatchObject({
      ...{ status: 400, type: 'invalid_request_error' },
      message: expect.stringContaining('single tool-calls'),
    });
  });
});

it('messages come back as they were sent, with nulls and empty lists', async () => {
  const { session, client } = await serve('llama3_1', 'Fine.', 'Fine.');
  const said = { role: 'assistant' as const, content: 'Hi!', refusal: null, audio: null, function_call: null };
  const messages = [user, { ...said, tool_calls: [], name: undefined }, user];
  await client.chat.completions.create({ model: 'base', messages });
  await client.chat.completions.create({
    model: 'base',
    messages: [user, { role: 'assistant', content: 'Hi!' }, user],
  });
  expect(session.prompts[0]).toBe(session.prompts[1]);
});
