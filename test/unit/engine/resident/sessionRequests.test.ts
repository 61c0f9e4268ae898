// Requests of a session over JSON-RPC, with a fake model: pieces before answers, cancelling, errors as records.
import { PassThrough } from 'node:stream';
import { afterEach, expect, test } from 'vitest';
import {
  CancellationTokenSource,
  createMessageConnection,
  ProgressType,
  ResponseError,
  StreamMessageReader,
  StreamMessageWriter,
  type MessageConnection,
} from 'vscode-jsonrpc/node';
import { CancelledError } from '../../../../extension/src/core/codedError.js';
import { InputError } from '../../../../extension/src/core/inputError.js';
import { serveResident } from '../../../../extension/src/engine/resident/residentEngine.js';
import { sessionRequests, type ServedSession } from '../../../../extension/src/engine/resident/sessionRequests.js';
import { adapterFacts } from '../../../support/scriptedSession.js';
import {
  generationAnswerSchema,
  sessionOptionsSchema,
  type GenerationAnswer,
  type Piece,
} from '../../../../extension/src/protocol/sessionMessages.js';

const settings = sessionOptionsSchema.parse({ model: 'embedded:tiny', folder: '/' });

const answered: GenerationAnswer = generationAnswerSchema.parse({
  ...{ text: 'ab', reasoning: '', tool_calls: [], finish_reason: 'stop', logprobs: null, token_ids: [1, 2] },
  usage: { prompt_tokens: 3, cached_tokens: 0, completion_tokens: 2, reasoning_tokens: 0 },
  ...{ dropped_turns: 0, first_token_ms: 1, tokens_per_second: 10 },
});

/** Answers with two pieces; to `wait`, when it is cancelled. */
const fakeSession = (disposed: { count: number }): ServedSession => ({
  facts: {
    ...{ model: 'embedded:tiny', context_length: 512, has_chat_template: true, template_variables: [] },
    ...{ weight_bytes: 1, rss_bytes: 2, backend: 'wasm' },
  },
  adapters: () => [],
  loadFolder: async (name, path) => adapterFacts(name, path),
  unload: name => {
    throw new InputError(`no adapter is loaded under the name "${name}"`, { key: 'adapters' });
  },
  score: async ({ token_ids: ids }) => ids.map(id => ({ id, text: 'x', logprob: -1, top: [] })),
  generate: async ({ prompt }, { signal, onPiece } = {}) => {
    onPiece?.({ text: 'a', reasoning: '', tokens: 1 });
    if (prompt === 'wait')
      await new Promise((_, reject) => signal!.addEventListener('abort', () => reject(new CancelledError())));
    onPiece?.({ text: 'b', reasoning: '', tokens: 2 });
    return answered;
  },
  countTokens: ({ text }) => text!.length,
  memory: () => ({ cache_bytes: 7 }),
  dispose: () => void disposed.count++,
});

const inputs: PassThrough[] = [];
afterEach(() => inputs.splice(0).forEach(input => input.end()));

function serve(): {
  connection: MessageConnection;
  input: PassThrough;
  ended: Promise<void>;
  disposed: { count: number };
} {
  const [input, output] = [new PassThrough(), new PassThrough()];
  inputs.push(input);
  const disposed = { count: 0 };
  const { requests, dispose } = sessionRequests(
    () => {},
    async (_settings, _adapters, { progress }) => {
      progress('load', 1, 2, 'embedded:tiny');
      return fakeSession(disposed);
    },
  );
  const ended = serveResident(input, output, requests, () => {}).finally(dispose);
  const connection = createMessageConnection(new StreamMessageReader(output), new StreamMessageWriter(input));
  connection.listen();
  return { connection, input, ended, disposed };
}

async function recordOf(request: Promise<unknown>): Promise<unknown> {
  const error = await request.then(
    () => expect.fail('the request succeeded'),
    (thrown: unknown) => thrown,
  );
  return (error as ResponseError<unknown>).data;
}

test('opens once, with progress, and answers with the facts', async () => {
  const { connection } = serve();
  const heard: unknown[] = [];
  connection.onProgress(new ProgressType(), 5, value => void heard.push(value));
  const facts = await connection.sendRequest('open', { ...settings, progressToken: 5 });
  expect(facts).toMatchObject({ model: 'embedded:tiny', context_length: 512 });
  expect(heard).toEqual([{ phase: 'load', done: 1, total: 2, message: 'embedded:tiny' }]);
  expect(await recordOf(connection.sendRequest('open', settings))).toMatchObject({
    code: 'bad_usage',
    hint: expect.stringContaining('another process'),
  });
});

test.each(['generate', 'load_adapter', 'unload_adapter', 'count_tokens', 'memory'])(
  '%s before a model is open is an error that says so',
  async name => {
    const { connection } = serve();
    const params = { name: 'a', path: '/a', prompt: 'x' };
    expect(await recordOf(connection.sendRequest(name, params))).toMatchObject({ message: 'no model is open' });
  },
);

test('pieces of an answer arrive as progress of its request, before the answer', async () => {
  const { connection } = serve();
  await connection.sendRequest('open', settings);
  const heard = new Map<number, string[]>([
    [1, []],
    [2, []],
  ]);
  for (const [token, texts] of heard)
    connection.onProgress(new ProgressType<Piece>(), token, ({ text }) => void texts.push(text));
  const ask = (progressToken: number) =>
    connection.sendRequest('generate', { prompt: 'x', progressToken }).then(answer => {
      expect(heard.get(progressToken)).toEqual(['a', 'b']);
      return answer;
    });
  expect(await Promise.all([ask(1), ask(2)])).toEqual([answered, answered]);
  // Without a token none is sent.
  expect(await connection.sendRequest('generate', { prompt: 'x' })).toEqual(answered);
  expect([...heard.values()]).toEqual([
    ['a', 'b'],
    ['a', 'b'],
  ]);
});

test('a cancelled answer ends with the code cancelled, and others go on', async () => {
  const { connection } = serve();
  await connection.sendRequest('open', settings);
  const cancelling = new CancellationTokenSource();
  connection.onProgress(new ProgressType<Piece>(), 1, () => cancelling.cancel());
  const record = await recordOf(
    connection.sendRequest('generate', { prompt: 'wait', progressToken: 1 }, cancelling.token),
  );
  expect(record).toMatchObject({ code: 'cancelled' });
  expect(await connection.sendRequest('generate', { prompt: 'x' })).toEqual(answered);
});

test('errors of the engine and of the params are records', async () => {
  const { connection } = serve();
  await connection.sendRequest('open', settings);
  expect(await recordOf(connection.sendRequest('unload_adapter', { name: 'x' }))).toMatchObject({ key: 'adapters' });
  expect(await recordOf(connection.sendRequest('generate', { sampling: { temperature: -1 } }))).toMatchObject({
    code: 'bad_usage',
    key: 'sampling.temperature',
  });
});

test('counts tokens, tells its memory, and frees the model with its input', async () => {
  const { connection, input, ended, disposed } = serve();
  await connection.sendRequest('open', settings);
  expect(await connection.sendRequest('count_tokens', { text: 'four' })).toEqual({ tokens: 4 });
  expect(await connection.sendRequest('memory', {})).toMatchObject({ cache_bytes: 7, rss_bytes: expect.any(Number) });
  input.end();
  await ended;
  expect(disposed.count).toBe(1);
});
