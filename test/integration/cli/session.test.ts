// A session as the extension starts it, with the embedded model: a process that writes only messages to standard output, streams
// answers of adapters from a folder, is cancelled within an answer, and ends with its input.
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { CancellationTokenSource, ProgressType, type MessageConnection } from 'vscode-jsonrpc/node';
import { ProcessSessions } from '../../../extension/src/host/sessions/sessionService.js';
import type { RequestType } from '../../../extension/src/protocol/messageTypes.js';
import {
  countTokensRequest,
  generateRequest,
  loadAdapterRequest,
  memoryRequest,
  openRequest,
  sessionOptionsSchema,
  unloadAdapterRequest,
  type Piece,
} from '../../../extension/src/protocol/sessionMessages.js';
import { bin, succeed, workplace } from '../../support/cli.js';
import { errorOf, expectOnlyMessages, requestProcesses } from '../../support/requestProcesses.js';

vi.mock('vscode', async () => {
  const { FakeEmitter: EventEmitter } = await import('../../support/fakeEmitter.js');
  const from = (...all: { dispose(): void }[]) => ({ dispose: () => all.forEach(each => each.dispose()) });
  return {
    ...{ EventEmitter, Disposable: { from }, CancellationError: class extends Error {} },
    workspace: { isTrusted: true },
  };
});
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const place = workplace();
const settings = sessionOptionsSchema.parse({ model: 'embedded:tiny', folder: place.path });
const question = [{ role: 'user', content: 'What is rain?' }];
let adapter: string;

beforeAll(async () => {
  const run = place.run('tuned', {
    model: 'embedded:tiny',
    method: { r: 4 },
    training: { max_steps: 8, learning_rate: 0.1 },
  });
  await succeed(['train', run, '--out', place.file('tuned')]);
  adapter = place.file('tuned', 'adapter');
});
afterAll(() => place.remove());

const session = requestProcesses('session');

async function ask<R>(
  connection: MessageConnection,
  type: RequestType<any, R>,
  params: object,
  more: { progressToken?: number } = {},
): Promise<R> {
  return type.result.parse(await connection.sendRequest(type.name, { ...params, ...more }));
}

it('answers with the base and with adapters in pieces, and writes only messages to standard output', async () => {
  // What any library may do, as soon as standard output carries messages.
  const stray = `const { write } = process.stdout;
    setInterval(() => process.stdout.write !== write && console.log('a stray line'), 20)`;
  const { child, connection, ended, output, errors } = session([
    '--import',
    `data:text/javascript,${encodeURIComponent(stray)}`,
  ]);
  const facts = await ask(connection, openRequest, settings);
  expect(facts).toMatchObject({ model: 'embedded:tiny', context_length: 512, has_chat_template: true });
  expect(await ask(connection, loadAdapterRequest, { name: 'A', path: adapter })).toMatchObject({
    ...{ name: 'A', path: adapter, peft_type: 'LORA', scalable: true },
  });
  const texts: string[] = ['', ''];
  const answers = [];
  for (const [i, adapters] of [[], [{ name: 'A' }]].entries()) {
    connection.onProgress(new ProgressType<Piece>(), i, ({ text }) => void (texts[i] += text));
    const request = { messages: question, adapters, sampling: { max_new_tokens: 12 } };
    answers.push(await ask(connection, generateRequest, request, { progressToken: i }));
  }
  expect(answers.map(({ usage }) => usage.completion_tokens > 0)).toEqual([true, true]);
  expect(texts.map(text => text.trim())).toEqual(answers.map(({ text }) => text.trim()));
  expect(answers[0]!.text).not.toBe(answers[1]!.text);
  // As the command answers.
  const flags = ['--prompt', question[0]!.content, '--max-new-tokens', '12', '--json'];
  const printed = await succeed(['generate', '--model', 'embedded:tiny', '--base', '--adapter', adapter, ...flags]);
  const generated: { answers: { text: string }[] } = JSON.parse(printed.stdout);
  expect(answers.map(({ text }) => text.trim())).toEqual(generated.answers.map(({ text }) => text.trim()));

  const { tokens } = await ask(connection, countTokensRequest, { messages: question });
  expect(tokens).toBe(answers[0]!.usage.prompt_tokens);
  const memory = await ask(connection, memoryRequest, {});
  expect(memory.rss_bytes).toBeGreaterThan(10_000_000);
  expect(memory.available_bytes).toBeGreaterThan(0);

  expect(errors()).toContain('a stray line');
  child.stdin.end();
  expect(await ended).toBe(0);
  expectOnlyMessages(output());
});

it('answers with a checkpoint of a run as with its adapter, in a session and in `generate`', async () => {
  const { connection } = session();
  await ask(connection, openRequest, settings);
  const checkpoint = place.file('tuned', 'checkpoints', 'step-8');
  await ask(connection, loadAdapterRequest, { name: 'A', path: adapter });
  await ask(connection, loadAdapterRequest, { name: 'C', path: checkpoint });
  const texts: string[] = [];
  for (const name of ['A', 'C']) {
    const request = { messages: question, adapters: [{ name, weight: 0.8 }], sampling: { max_new_tokens: 12 } };
    texts.push((await ask(connection, generateRequest, request)).text);
  }
  expect(texts[1]).toBe(texts[0]);
  const flags = ['--prompt', question[0]!.content, '--max-new-tokens', '12', '--json'];
  const printed = await succeed(['generate', '--model', 'embedded:tiny', '--adapter', adapter, checkpoint, ...flags]);
  const { answers }: { answers: { text: string }[] } = JSON.parse(printed.stdout);
  expect(answers[1]!.text).toBe(answers[0]!.text);
  const pruned = place.file('tuned', 'checkpoints', 'step-3');
  expect(await errorOf(ask(connection, loadAdapterRequest, { name: 'D', path: pruned }))).toMatchObject({
    ...{ code: 'bad_input', message: 'this folder does not exist', file: pruned },
    hint: expect.stringContaining('save_total_limit'),
  });
});

it('stops a cancelled answer within it, and answers the next request', async () => {
  const { connection } = session();
  await ask(connection, openRequest, settings);
  const cancelling = new CancellationTokenSource();
  const counts: number[] = [];
  connection.onProgress(new ProgressType<Piece>(), 1, ({ tokens }) => {
    counts.push(tokens);
    if (counts.length === 3) cancelling.cancel();
  });
  // Sampled at random, it doesn't end by itself for long.
  const params = {
    ...{ prompt: 'Once', sampling: { max_new_tokens: 500, temperature: 5, seed: 1 }, progressToken: 1 },
  };
  const record = await errorOf(connection.sendRequest(generateRequest.name, params, cancelling.token));
  expect(record.code).toBe('cancelled');
  // The one that was being read, and those whose pieces were on their way.
  expect(counts.at(-1)).toBeLessThan(100);
  const answer = await ask(connection, generateRequest, { messages: question, sampling: { max_new_tokens: 3 } });
  expect(answer.usage.completion_tokens).toBeGreaterThan(0);
});

it('answers errors with records, and continues', async () => {
  const { connection } = session();
  const refused = await errorOf(connection.sendRequest(openRequest.name, { ...settings, model: './none' }));
  expect(refused).toMatchObject({ code: 'model_not_found', file: './none' });
  await ask(connection, openRequest, settings);
  const send = (type: RequestType<any, unknown>, params: object) => errorOf(connection.sendRequest(type.name, params));
  expect(await send(openRequest, settings)).toMatchObject({ code: 'bad_usage' });
  expect(await send(loadAdapterRequest, { name: 'A', path: place.file('base') })).toMatchObject({
    ...{ code: 'bad_input', file: place.file('base') },
  });
  expect(await send(unloadAdapterRequest, { name: 'A' })).toMatchObject({ message: expect.stringContaining('"A"') });
  expect(await send(generateRequest, { messages: question, adapters: [{ name: 'B' }] })).toMatchObject({
    message: expect.stringContaining('"B"'),
  });
  expect(await send(generateRequest, { messages: question, sampling: { top_p: 0 } })).toMatchObject({
    ...{ code: 'bad_usage', key: 'sampling.top_p' },
  });
  await ask(connection, loadAdapterRequest, { name: 'A', path: adapter });
  expect(await ask(connection, unloadAdapterRequest, { name: 'A' })).toBeNull();
});

it('ends with its input while it is answering', async () => {
  const { child, connection, ended } = session();
  await ask(connection, openRequest, settings);
  const first = new Promise(resolve => connection.onProgress(new ProgressType<Piece>(), 1, resolve));
  const params = { prompt: 'Once', sampling: { max_new_tokens: 500, temperature: 5 }, progressToken: 1 };
  connection.sendRequest(generateRequest.name, params).catch(() => {});
  await first;
  child.stdin.end();
  expect(await ended).toBe(0);
});

it('works with the sessions of the host: shared, streaming, with the adapters after a crash', async () => {
  const program = { command: process.execPath, args: [bin], env: process.env };
  const words: string[] = [];
  const sessions = new ProcessSessions(
    { runs: () => [] } as never,
    { ensureInstalled: async () => true },
    {
      program: async () => program,
      log: text => words.push(text),
      idleMs: () => 60_000,
    },
  );
  const [a, b] = await Promise.all([sessions.open(settings), sessions.open(settings)]);
  expect(sessions.loaded).toHaveLength(1);
  await a.load('mine', adapter);
  await b.load('theirs', adapter);
  const pieces: string[] = [];
  const sampling = { max_new_tokens: 8 };
  const request = (name: string) => ({ messages: question, adapters: [{ name }], sampling });
  const answers = await Promise.all([
    a.generate(request('mine'), { onPiece: ({ text }) => pieces.push(text) }),
    b.generate(request('theirs')),
  ]);
  expect(answers[0]!.text).toBe(answers[1]!.text);
  expect(pieces.join('').trim()).toBe(answers[0]!.text.trim());
  const { token_ids, logprobs } = await a.generate({ ...request('mine'), top_logprobs: 0 });
  const scored = await b.score({ ...request('theirs'), token_ids });
  expect(scored.map(({ text }) => text)).toEqual(logprobs!.map(({ text }) => text));
  for (const [i, { logprob }] of logprobs!.entries()) expect(scored[i]!.logprob).toBeCloseTo(logprob, 4);
  const unlike = await b.score({ ...request('base'), token_ids });
  expect(Math.max(...unlike.map(({ logprob }, i) => Math.abs(logprob - logprobs![i]!.logprob)))).toBeGreaterThan(0.01);
  const pid = Number(/tunewright session (\d+) started/.exec(words.join('\n'))![1]);
  const ended = new Promise<void>(resolve => a.onDidEnd(resolve));
  process.kill(pid, 'SIGKILL');
  await ended;
  expect((await b.generate(request('theirs'))).text).toBe(answers[0]!.text);
  sessions.dispose();
});
