// `tunewright serve` and `chat` as processes, on the embedded model with adapters of two methods: the official client, answers of the
// real session, adapters loaded while it runs, its end by a signal; a conversation through a pipe.
import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, cpSync, readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { streamText } from 'ai';
import OpenAI from 'openai';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { expectRefusal, succeed, tunewright, workplace } from '../../support/cli.js';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const bin = fileURLToPath(new URL('../../../extension/bin/tunewright.mjs', import.meta.url));
const place = workplace();
const KEY = 'a-secret-of-the-test';

interface Served {
  child: ChildProcess;
  url: string;
  models: string[];
  client: OpenAI;
  /** Both outputs so far. */
  output(): string;
  ended: Promise<number | null>;
}

const children: ChildProcess[] = [];

function serve(...flags: string[]): Promise<Served> {
  const child = spawn(process.execPath, [bin, 'serve', '--model', 'embedded:tiny', '--json', ...flags]);
  children.push(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', data => (output += String(data)));
  const ended = new Promise<number | null>(resolve => child.once('exit', resolve));
  return new Promise((resolve, reject) => {
    void ended.then(code => reject(new Error(`it ended with ${code}: ${output}`)));
    createInterface(child.stdout).once('line', line => {
      const { type, url, models } = JSON.parse(line);
      expect(type).toBe('listening');
      const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: KEY, maxRetries: 0 });
      resolve({ child, url, models, client, output: () => output, ended });
    });
  });
}

const adapterOf = (name: string) => place.file(name, 'adapter');
let served: Served;

beforeAll(async () => {
  for (const [name, peft_type] of [
    ['tuned', 'LORA'],
    ['soft', 'PROMPT_TUNING'],
  ] as const) {
    const run = place.run(`${name}.json`, {
      model: 'embedded:tiny',
      method: { peft_type },
      training: { max_steps: 20, learning_rate: 0.05 },
    });
    await succeed(['train', run, '--out', place.file(name)]);
  }
  served = await serve('--adapter', `tuned=${adapterOf('tuned')}`, '--adapters-folder', place.path);
});

afterAll(() => {
  children.forEach(child => child.kill('SIGKILL'));
  place.remove();
});

const question = { temperature: 0, messages: [{ role: 'user' as const, content: 'What is a cloud?' }] };
const chat = (model: string, more: object = {}) =>
  served.client.chat.completions.create({ model, ...question, ...more }) as Promise<OpenAI.ChatCompletion>;
const textOf = async (model: string, more: object = {}) => (await chat(model, more)).choices[0]!.message.content;

/** What `generate` answers to the question. */
async function generated(...flags: string[]): Promise<string> {
  const args = ['generate', '--model', 'embedded:tiny', '--prompt', 'What is a cloud?', '--json', ...flags];
  return JSON.parse((await succeed(args)).stdout).answers[0].text;
}

it('answers as the base, an adapter and a mixture, as `generate` does', async () => {
  expect(served.models).toEqual(['embedded:tiny', 'base', 'tuned']);
  const base = await textOf('base');
  const tuned = await textOf('tuned', { max_tokens: 128 });
  expect(base!.trim()).toBe(await generated());
  expect(tuned!.trim()).toBe(await generated('--adapter', adapterOf('tuned')));
  expect(tuned).not.toBe(base);
  expect(await textOf('embedded:tiny')).toBe(base);
  expect(await textOf('tuned:0')).toBe(base);
  expect(await textOf('tuned:0.5+tuned:0.5', { max_tokens: 128 })).toBe(tuned);
});

it('streams the same answer, with log-probabilities of every token and usage', async () => {
  const whole = await chat('base', { logprobs: true, top_logprobs: 3 });
  const stream = await served.client.chat.completions.create({
    model: 'base',
    ...question,
    ...{ logprobs: true, top_logprobs: 3, stream: true, stream_options: { include_usage: true } },
  });
  let text = '';
  const logprobs: OpenAI.ChatCompletionTokenLogprob[] = [];
  let usage: OpenAI.CompletionUsage | null | undefined;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? '';
    logprobs.push(...(chunk.choices[0]?.logprobs?.content ?? []));
    usage = chunk.usage;
  }
  const [choice] = whole.choices;
  expect(text).toBe(choice!.message.content);
  expect(logprobs.map(({ token }) => token)).toEqual(choice!.logprobs!.content!.map(({ token }) => token));
  expect(logprobs[0]!.top_logprobs).toHaveLength(3);
  // Greedy: the chosen token is the likeliest one.
  for (const { logprob, top_logprobs: top } of logprobs) expect(logprob).toBeCloseTo(top[0]!.logprob, 5);
  expect(usage!.completion_tokens).toBe(whole.usage!.completion_tokens);
});

it('samples by the seed, stops at texts, and counts a kept prefix', async () => {
  const drawn = (seed: number) => textOf('base', { temperature: 1.5, seed, max_tokens: 20 });
  expect(await drawn(1)).toBe(await drawn(1));
  expect(await drawn(1)).not.toBe(await drawn(2));
  const { choices } = await chat('base', { temperature: 1.5, seed: 1, n: 2, max_tokens: 20 });
  expect(choices.map(({ message }) => message.content)).toEqual([await drawn(1), await drawn(2)]);
  const base = (await textOf('base'))!;
  const stop = base.slice(5, 9);
  const stopped = await chat('base', { stop });
  expect(stopped.choices[0]).toMatchObject({
    message: { content: base.slice(0, base.indexOf(stop)) },
    finish_reason: 'stop',
  });
  const followed = await chat('base', {
    messages: [...question.messages, { role: 'assistant', content: base }, { role: 'user', content: 'Thanks!' }],
  });
  expect(followed.usage!.prompt_tokens_details!.cached_tokens).toBeGreaterThan(0);
});

it('continues a text, with log-probabilities', async () => {
  const { choices, usage } = await served.client.completions.create({
    ...{ model: 'base', prompt: ['The sky is', 'A cat'], max_tokens: 5, temperature: 0, logprobs: 2 },
  });
  expect(choices).toHaveLength(2);
  for (const { text, logprobs } of choices) {
    expect(logprobs!.tokens!.join('')).toBe(text);
    expect(logprobs!.text_offset![0]).toBe(0);
  }
  expect(usage!.completion_tokens).toBeLessThanOrEqual(10);
});

it('several clients at once get the answers that each gets alone', async () => {
  const models = ['base', 'tuned', 'tuned:0.5', 'base', 'tuned'];
  const alone = [];
  for (const model of models) alone.push(await textOf(model, { max_tokens: 24 }));
  expect(await Promise.all(models.map(model => textOf(model, { max_tokens: 24 })))).toEqual(alone);
});

it('loads an adapter of another method while it runs, and unloads it', async () => {
  const post = (route: string, body: object) =>
    fetch(`${served.url}/v1/${route}`, { method: 'POST', body: JSON.stringify(body) });
  const firstLogprob = async (model: string) =>
    (await chat(model, { logprobs: true, max_tokens: 1 })).choices[0]!.logprobs!.content![0]!.logprob;
  expect((await post('load_lora_adapter', { lora_name: 'soft', lora_path: 'soft/adapter' })).status).toBe(200);
  expect((await textOf('soft', { max_tokens: 128 }))!.trim()).toBe(await generated('--adapter', adapterOf('soft')));
  expect(await firstLogprob('soft')).not.toBe(await firstLogprob('base'));
  const mixed = await chat('soft:0.5').catch((error: unknown) => error);
  expect(mixed).toMatchObject({ status: 400 });
  expect((await post('load_lora_adapter', { lora_name: 'bad', lora_path: 'base' })).status).toBe(400);
  expect((await post('unload_lora_adapter', { lora_name: 'soft' })).status).toBe(200);
  expect(await chat('soft').catch((error: unknown) => error)).toMatchObject({ status: 404 });
});

it('a cancelled answer ends, and the next is the same as ever', async () => {
  const base = await textOf('base');
  const stream = await served.client.chat.completions.create({
    ...{ model: 'base', ...question, temperature: 2, max_tokens: 400, stream: true },
  });
  for await (const _ of stream) break;
  const running = async () => (await fetch(`${served.url}/metrics`)).text();
  await expect.poll(running).toContain('tunewright_requests_running 0\n');
  expect(await textOf('base')).toBe(base);
});

it('a prompt longer than the context is an error with its code', async () => {
  const messages = [{ role: 'user', content: 'cloud '.repeat(600) }];
  expect(await chat('base', { messages }).catch((error: unknown) => error)).toMatchObject({
    status: 400,
    code: 'context_length_exceeded',
  });
});

it('answers the AI SDK', async () => {
  const provider = createOpenAICompatible({ name: 'tunewright', baseURL: `${served.url}/v1` });
  const { textStream } = streamText({ model: provider('base'), prompt: 'What is a cloud?', temperature: 0 });
  let text = '';
  for await (const part of textStream) text += part;
  expect(text).toBe(await textOf('base'));
});

/** Tools by their names, calls as Llama 3 writes them. */
const TOOL_TEMPLATE =
  '{% if tools %}<|im_start|>system\n{{ tools[0].function.name }}<|im_end|>\n{% endif %}' +
  "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content or '' }}" +
  '{% for call in message.tool_calls or [] %}{"name": "{{ call.function.name }}", "parameters": ' +
  '{{ call.function.arguments if call.function.arguments is string else call.function.arguments | tojson }}}' +
  '{% endfor %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}';

it('a model that learned to call a tool calls it, reads the result and answers', async () => {
  const model = place.file('with-tools');
  cpSync(fileURLToPath(new URL('../../../media/models/tiny', import.meta.url)), model, { recursive: true });
  const config = place.file('with-tools', 'tokenizer_config.json');
  const settings = { ...JSON.parse(readFileSync(config, 'utf8')), chat_template: TOOL_TEMPLATE };
  writeFileSync(config, JSON.stringify(settings));
  const parameters = { type: 'object', properties: { city: { type: 'string' } } };
  const weather = { type: 'function' as const, function: { name: 'weather', parameters } };
  const call = (city: string) => ({ type: 'function', function: { name: 'weather', arguments: { city } } });
  const rows = ['Bern', 'Rome', 'Oslo', 'Lima'].flatMap(city =>
    ['7', '12', '21'].map(degrees => ({
      tools: [weather],
      messages: [
        { role: 'user', content: `Weather in ${city}?` },
        { role: 'assistant', content: '', tool_calls: [call(city)] },
        { role: 'tool', content: degrees },
        { role: 'assistant', content: `It has ${degrees} degrees.` },
      ],
    })),
  );
  const run = place.run('tools.json', {
    model,
    dataset: { train: place.write('tools.jsonl', rows), format: 'messages', max_length: 128 },
    method: { peft_type: 'LORA', r: 16, lora_alpha: 32, target_modules: 'all-linear' },
    training: { max_steps: 100, per_device_train_batch_size: 8, learning_rate: 0.005, lr_scheduler_type: 'cosine' },
  });
  await succeed(['train', run, '--out', place.file('tools')]);
  const { client, child } = await serve('--model', model, '--adapter', `tools=${adapterOf('tools')}`);
  for (const stream of [false, true]) {
    const asked: unknown[] = [];
    const told = (given: unknown) => {
      asked.push(given);
      return '12';
    };
    const runner = client.chat.completions.runTools({
      ...{ model: 'tools', messages: [{ role: 'user', content: 'Weather in Oslo?' }], stream: stream as false },
      ...{ temperature: 0, max_tokens: 60 },
      tools: [{ ...weather, function: { ...weather.function, description: '', parse: JSON.parse, function: told } }],
    });
    expect(await runner.finalContent()).toMatch(/^It has .*degrees/);
    expect(asked).toEqual([{ city: 'Oslo' }]);
  }
  child.kill();
});

it('an adapter that is unloaded while it answers finishes the answer; its name may mean another one then', async () => {
  const load = (body: object, route = 'load_lora_adapter') =>
    fetch(`${served.url}/v1/${route}`, { method: 'POST', body: JSON.stringify(body) });
  expect((await load({ lora_name: 'spare', lora_path: 'tuned/adapter' })).status).toBe(200);
  const sampled = { temperature: 100, seed: 3, max_tokens: 60 };
  const expected = await textOf('spare', sampled);
  const stream = await served.client.chat.completions.create({
    ...{ model: 'spare', ...question, ...sampled, stream: true },
  });
  let text = '';
  for await (const { choices } of stream) {
    if (text === '') {
      expect((await load({ lora_name: 'spare' }, 'unload_lora_adapter')).status).toBe(200);
      expect((await load({ lora_name: 'spare', lora_path: 'soft/adapter' })).status).toBe(200);
    }
    text += choices[0]?.delta.content ?? '';
  }
  expect(text).toBe(expected);
  expect(await textOf('spare', { max_tokens: 20 })).not.toBe(await textOf('tuned', { max_tokens: 20 }));
  expect((await load({ lora_name: 'spare' }, 'unload_lora_adapter')).status).toBe(200);
});

it('no text to continue is wrong input', async () => {
  const none = served.client.completions.create({ model: 'base', prompt: ['A cat', ''] });
  await expect(none).rejects.toMatchObject({ status: 400, param: 'prompt' });
});

it('needs the key of its file, and never prints it', async () => {
  const file = place.write('key', `${KEY}\n`);
  const open = await tunewright(['serve', '--model', 'embedded:tiny', '--api-key-file', file]);
  expectRefusal(open, 'chmod 600', file);
  expect(open.stderr).not.toContain(KEY);
  chmodSync(file, 0o600);
  const { url, client, child, ended, output } = await serve('--api-key-file', file, '--host', '0.0.0.0');
  expect((await fetch(`${url.replace('0.0.0.0', '127.0.0.1')}/v1/models`)).status).toBe(401);
  const reachable = client.withOptions({ baseURL: `${url.replace('0.0.0.0', '127.0.0.1')}/v1` });
  expect((await reachable.models.list()).data).toHaveLength(2);
  child.kill('SIGINT');
  expect(await ended).toBe(0);
  expect(output()).not.toContain(KEY);
});

it('options that can’t be used are refused before the model is loaded', async () => {
  const refused = (...flags: string[]) => tunewright(['serve', '--model', 'embedded:tiny', ...flags]);
  expectRefusal(await refused('--host', '0.0.0.0'), '--api-key-file');
  expectRefusal(await refused('--adapter', 'runs/adapter'), 'NAME=PATH');
  expectRefusal(await refused('--adapter', 'base=x'), 'base');
  expectRefusal(await refused('--adapters-folder', place.file('none')), 'not a folder');
  expect((await refused('--port', '70000')).code).toBe(2);
});

it('at SIGTERM the answer under way is finished, and it exits with 0', async () => {
  const stream = await served.client.chat.completions.create({
    ...{ model: 'base', ...question, temperature: 2, seed: 3, max_tokens: 60, stream: true },
  });
  let reason: string | null | undefined;
  let signalled = false;
  for await (const { choices } of stream) {
    if (!signalled) served.child.kill('SIGTERM');
    signalled = true;
    reason = choices[0]?.finish_reason ?? reason;
  }
  expect(['stop', 'length']).toContain(reason);
  expect(await served.ended).toBe(0);
});

it('chat answers the lines of a pipe, one after the other, and saves the conversation', async () => {
  const file = place.file('saved.jsonl');
  const lines = ['What is a cloud?', '/adapter tuned', 'Thanks!', '/set max_new_tokens 3', '/retry', `/save ${file}`];
  const child = spawn(process.execPath, [
    ...[bin, 'chat', '--model', 'embedded:tiny', '--json', '--adapter', `tuned=${adapterOf('tuned')}`],
  ]);
  children.push(child);
  let output = '';
  child.stdout.on('data', data => (output += String(data)));
  child.stdin.end(`/adapter base\n${lines.join('\n')}\n`);
  expect(await new Promise(resolve => child.once('close', resolve))).toBe(0);
  const answers = output
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line));
  expect(answers.map(({ type, model }) => [type, model])).toEqual([
    ['answer', 'base'],
    ['answer', 'tuned'],
    ['answer', 'tuned'],
  ]);
  expect(answers[2].usage.completion_tokens).toBeLessThanOrEqual(3);
  expect(JSON.parse(readFileSync(file, 'utf8')).messages).toEqual([
    { role: 'user', content: 'What is a cloud?' },
    { role: 'assistant', content: answers[0].text },
    { role: 'user', content: 'Thanks!' },
    { role: 'assistant', content: answers[2].text },
  ]);
});

it('chat ends with 2 if a line of the pipe was wrong, after the others', async () => {
  const child = spawn(process.execPath, [bin, 'chat', '--model', 'embedded:tiny']);
  children.push(child);
  let [output, errors] = ['', ''];
  child.stdout.on('data', data => (output += String(data)));
  child.stderr.on('data', data => (errors += String(data)));
  child.stdin.end('/adapter none\nHi!\n');
  expect(await new Promise(resolve => child.once('close', resolve))).toBe(2);
  expect(errors).toContain('error: there is no adapter "none"');
  expect(output.trim()).not.toBe('');
});
