// A session as the extension starts it, on the embedded model: loads adapters, streams answers, is cancelled within a token, and ends
// with its process; the next one to open it starts another.
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { ModelSession } from '../../../extension/src/host/services.js';
import { ProcessSessions } from '../../../extension/src/host/sessions/sessionService.js';
import { sessionOptionsSchema } from '../../../extension/src/protocol/sessionMessages.js';
import { succeed, workplace } from '../../support/cli.js';

vi.mock('vscode', () => ({
  CancellationError: class extends Error {},
  EventEmitter: class {
    private readonly listeners: (() => void)[] = [];
    event = (listener: () => void) => this.listeners.push(listener);
    fire = () => this.listeners.forEach(listener => listener());
    dispose = () => {};
  },
  workspace: { isTrusted: true, getConfiguration: () => ({ get: (_key: string, value: unknown) => value }) },
}));
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const bin = fileURLToPath(new URL('../../../extension/bin/tunewright.mjs', import.meta.url));
const place = workplace();
const settings = sessionOptionsSchema.parse({ model: 'embedded:tiny', folder: '.' });
let log = '';
const sessions = new ProcessSessions({
  program: async () => ({ command: process.execPath, args: [bin], env: process.env }),
  idleMs: () => 600_000,
  log: text => void (log += `${text}\n`),
});
let session: ModelSession;
let adapter: string;

beforeAll(async () => {
  const run = place.run('run.json', {
    model: 'embedded:tiny',
    method: { peft_type: 'LORA' },
    training: { max_steps: 30, learning_rate: 0.02 },
  });
  await succeed(['train', run, '--out', place.file('run')]);
  adapter = place.file('run', 'adapter');
  session = await sessions.open(settings);
});

afterAll(() => {
  sessions.dispose();
  place.remove();
});

const question = {
  messages: [{ role: 'user', content: 'What is the capital of France?' }],
  sampling: { max_new_tokens: 12 },
};

it('answers as the base and as an adapter, piece by piece', async () => {
  const facts = await session.load('tuned', adapter);
  expect(facts).toMatchObject({ name: 'tuned', peft_type: 'LORA', scalable: true });
  let streamed = '';
  const base = await session.generate(question, { onPiece: ({ text }) => void (streamed += text) });
  expect(base.text).not.toBe('');
  expect(streamed).toBe(base.text);
  expect(base.usage.completion_tokens).toBe(base.token_ids.length);
  const tuned = await session.generate({ ...question, adapters: [{ name: 'tuned' }] });
  expect(tuned.token_ids).not.toEqual(base.token_ids);
  expect((await session.generate(question)).token_ids).toEqual(base.token_ids);
});

it('refuses an adapter that is not loaded, with the names that are', async () => {
  await expect(session.generate({ ...question, adapters: [{ name: 'other' }] })).rejects.toThrow(
    /no adapter is loaded under the name "other"[^]*tuned/,
  );
});

it('ends an answer when it is cancelled, and answers the next', async () => {
  let tokens = 0;
  const token = { isCancellationRequested: false, onCancellationRequested: (f: () => void) => (cancel = f) };
  let cancel = () => {};
  const long = session.generate(
    { ...question, sampling: { max_new_tokens: 400, temperature: 2 } },
    {
      token: token as never,
      onPiece: piece => {
        tokens = piece.tokens;
        if (tokens >= 5) cancel();
      },
    },
  );
  await expect(long).rejects.toThrow();
  expect(tokens).toBeLessThan(100);
  expect((await session.generate(question)).text).not.toBe('');
});

it('shares the process between holders, and says when it has ended', async () => {
  const pids = () => [...log.matchAll(/engine (\d+) started/g)].map(([, pid]) => Number(pid));
  const other = await sessions.open(settings);
  expect(sessions.sessions).toHaveLength(1);
  expect(pids()).toHaveLength(1);
  const base = await session.generate(question);
  const ended = new Promise<void>(resolve => void session.onDidEnd(resolve));
  process.kill(pids()[0]!, 'SIGKILL');
  await ended;
  await expect(other.generate(question)).rejects.toThrow();
  const again = await sessions.open(settings);
  expect(pids()).toHaveLength(2);
  expect((await again.generate(question)).token_ids).toEqual(base.token_ids);
});

it('has a message for a model that can’t be opened', async () => {
  await expect(sessions.open({ ...settings, model: 'nowhere' })).rejects.toThrow(/nowhere/);
  expect(sessions.sessions).toHaveLength(1);
});
