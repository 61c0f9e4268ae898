// Bases in memory with fake processes: who shares one, what is attached, when it ends, what happens after a crash.
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { ProgressType, ResponseError } from 'vscode-jsonrpc/node';
import { EngineInputError, UntrustedWorkspaceError } from '../../../../extension/src/host/services.js';
import { ProcessSessions } from '../../../../extension/src/host/sessions/sessionService.js';
import { ENGINE_ERROR } from '../../../../extension/src/protocol/residentMessages.js';
import { sessionOptionsSchema, type SessionSettings } from '../../../../extension/src/protocol/sessionMessages.js';
import { FakeChild } from '../../../support/fakeChild.js';
import { adapterFacts } from '../../../support/scriptedSession.js';
import { FakeEmitter } from '../../../support/fakeEmitter.js';

const { CancellationError } = vi.hoisted(() => ({ CancellationError: class extends Error {} }));
vi.mock('vscode', async () => {
  const { FakeEmitter: EventEmitter } = await import('../../../support/fakeEmitter.js');
  const from = (...all: { dispose(): void }[]) => ({ dispose: () => all.forEach(each => each.dispose()) });
  return { EventEmitter, Disposable: { from }, CancellationError };
});

const folder = mkdtempSync(join(tmpdir(), 'tunewright-sessions-'));
const adapterAt = (name: string, text = 'one') => {
  const path = join(folder, name);
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, 'adapter_config.json'), '{}');
  writeFileSync(join(path, 'adapter_model.safetensors'), text);
  return path;
};

/** A process that answers, and keeps the requests that it got. */
class FakeSession extends FakeChild {
  readonly got: { name: string; params: any }[] = [];
  refuse: { code: string; message: string; hint?: string } | null = null;
  loading: Promise<void> = Promise.resolve();

  constructor() {
    super();
    const answer = (name: string, how: (params: any, token: any) => unknown) =>
      this.engine.onRequest(name, (params, token) => {
        this.got.push({ name, params });
        return how(params, token);
      });
    answer('open', async ({ model, progressToken }) => {
      if (progressToken) {
        const progress = { phase: 'load', done: 0, total: 1, message: model };
        await this.engine.sendProgress(new ProgressType(), progressToken, progress);
      }
      await this.loading;
      if (this.refuse) return new ResponseError(ENGINE_ERROR, this.refuse.message, this.refuse);
      return {
        ...{ model, context_length: 512, has_chat_template: true, template_variables: [] },
        ...{ weight_bytes: 1, rss_bytes: 2, backend: 'wasm' },
      };
    });
    answer('load_adapter', ({ name, path }) => adapterFacts(name, path));
    answer('unload_adapter', () => null);
    answer('count_tokens', () => ({ tokens: 3 }));
    answer('memory', () => ({ rss_bytes: 1, cache_bytes: 2, available_bytes: 3 }));
    answer('generate', async ({ adapters, progressToken, prompt }, token) => {
      if (progressToken)
        await this.engine.sendProgress(new ProgressType(), progressToken, { text: 'x', reasoning: '', tokens: 1 });
      if (prompt === 'crash') this.exit(137);
      if (prompt === 'wait') {
        await new Promise(resolve => token.onCancellationRequested(resolve));
        return new ResponseError(ENGINE_ERROR, 'cancelled', { code: 'cancelled', message: 'cancelled' });
      }
      return {
        ...{ text: adapters.map((part: { name: string }) => part.name).join('+'), reasoning: '', tool_calls: [] },
        ...{ finish_reason: 'stop', logprobs: null, token_ids: [1], dropped_turns: 0, first_token_ms: 1 },
        usage: { prompt_tokens: 1, cached_tokens: 0, completion_tokens: 1, reasoning_tokens: 0 },
        tokens_per_second: null,
      };
    });
  }

  named(name: string): any[] {
    return this.got.filter(each => each.name === name).map(({ params }) => params);
  }
}

let children: FakeSession[] = [];
const services: ProcessSessions[] = [];
afterEach(() => {
  services.splice(0).forEach(service => service.dispose());
  children = [];
  rmSync(folder, { recursive: true, force: true });
});

interface Fakes {
  prepare?(child: FakeSession): void;
  idleMs?: number;
  runs?: { name: string; alive: boolean }[];
  ensureInstalled?(device: { backend: string }): Promise<boolean>;
}

function sessionService({
  prepare = () => {},
  idleMs = 60_000,
  runs = [],
  ensureInstalled = async () => true,
}: Fakes = {}): ProcessSessions {
  const service = new ProcessSessions(
    { runs: () => runs } as never,
    { ensureInstalled },
    {
      program: async () => ({ command: 'node', args: [], env: {} }),
      log: () => {},
      idleMs: () => idleMs,
      start: () => {
        const child = new FakeSession();
        children.push(child);
        prepare(child);
        return child as unknown as ChildProcessWithoutNullStreams;
      },
    },
  );
  services.push(service);
  return service;
}

const settings = (changes: object = {}): SessionSettings =>
  sessionOptionsSchema.parse({ model: 'embedded:tiny', folder, ...changes });

const token = () => {
  const emitter = new FakeEmitter<void>();
  return { isCancellationRequested: false, onCancellationRequested: emitter.event, cancel: () => emitter.fire() };
};

test('holders of a base share its process; another base or other weights have their own', async () => {
  const service = sessionService();
  const [a, b] = await Promise.all([service.open(settings()), service.open(settings({ folder: '/elsewhere' }))]);
  expect(children).toHaveLength(1);
  expect(children[0]!.named('open')).toHaveLength(1);
  expect([a.facts.model, b.facts.context_length]).toEqual(['embedded:tiny', 512]);
  await service.open(settings({ base_weights: 'int8' }));
  await service.open(settings({ model: 'org/other' }));
  expect(children).toHaveLength(3);
  expect(service.loaded.map(({ facts }) => facts.model)).toEqual(['embedded:tiny', 'embedded:tiny', 'org/other']);
});

test('a model is one base, whether it is named by a relative or an absolute path', async () => {
  mkdirSync(join(folder, 'model'), { recursive: true });
  const service = sessionService();
  await service.open(settings({ model: './model' }));
  await service.open(settings({ model: join(folder, 'model'), folder: '/' }));
  await service.open(settings({ model: 'model' }));
  expect(children.map(child => child.named('open').map(({ model }) => model))).toEqual([[join(folder, 'model')]]);
});

test('every holder hears the progress of loading', async () => {
  const heard: string[][] = [[], []];
  const service = sessionService();
  await Promise.all(heard.map(list => service.open(settings(), { onProgress: ({ message }) => list.push(message) })));
  expect(heard).toEqual([['embedded:tiny'], ['embedded:tiny']]);
});

test('an adapter is read once for all holders, under the name that each of them gave it', async () => {
  const service = sessionService();
  const [a, b] = [await service.open(settings()), await service.open(settings())];
  const [pirate, haiku] = [adapterAt('pirate'), adapterAt('haiku')];
  expect(await a.load('A', pirate)).toMatchObject({ name: 'A', path: pirate });
  expect(await b.load('mine', pirate)).toMatchObject({ name: 'mine' });
  await b.load('A', haiku);
  const [child] = children as [FakeSession];
  expect(child.named('load_adapter').map(({ path }) => path)).toEqual([pirate, haiku]);
  // The same name of two holders means two adapters.
  const asked = (session: typeof a, name: string) => session.generate({ prompt: 'x', adapters: [{ name }] });
  expect((await asked(a, 'A')).text).toBe('A');
  expect((await asked(b, 'mine')).text).toBe('A');
  expect((await asked(b, 'A')).text).toBe('A (2)');
  await expect(asked(a, 'mine')).rejects.toThrow('no adapter is loaded as “mine”');
  expect((await asked(a, 'base')).text).toBe('base');
});

test('an adapter leaves memory when nobody holds it any more', async () => {
  const service = sessionService();
  const [a, b] = [await service.open(settings()), await service.open(settings())];
  const path = adapterAt('pirate');
  await a.load('A', path);
  await b.load('B', path);
  await a.unload('A');
  await expect(a.unload('A')).rejects.toBeInstanceOf(EngineInputError);
  const [child] = children as [FakeSession];
  expect(child.named('unload_adapter')).toEqual([]);
  b.dispose();
  await expect.poll(() => child.named('unload_adapter').map(({ name }) => name)).toEqual(['A']);
});

test('a rewritten adapter is read again, and the old one is left to those who have it', async () => {
  const service = sessionService();
  const [a, b] = [await service.open(settings()), await service.open(settings())];
  const path = adapterAt('pirate');
  await a.load('A', path);
  await b.load('B', path);
  adapterAt('pirate', 'trained further');
  await a.load('A', path);
  await a.load('A', path);
  const [child] = children as [FakeSession];
  expect(child.named('load_adapter').map(({ name }) => name)).toEqual(['A', 'A (2)']);
  expect((await a.generate({ prompt: 'x', adapters: [{ name: 'A' }] })).text).toBe('A (2)');
  expect((await b.generate({ prompt: 'x', adapters: [{ name: 'B' }] })).text).toBe('A');
  expect(child.named('unload_adapter')).toEqual([]);
});

test('an adapter whose folder is gone still answers while it is in memory', async () => {
  const session = await sessionService().open(settings());
  const path = adapterAt('pirate');
  await session.load('A', path);
  rmSync(path, { recursive: true });
  await session.load('A', path);
  expect((await session.generate({ prompt: 'x', adapters: [{ name: 'A' }] })).text).toBe('A');
  expect((children as [FakeSession])[0].named('load_adapter')).toHaveLength(1);
});

test('answers stream, and are cancelled', async () => {
  const session = await sessionService().open(settings());
  const pieces: string[] = [];
  const cancelling = token();
  const answer = session.generate(
    { prompt: 'wait' },
    {
      token: cancelling as never,
      onPiece: ({ text }) => {
        pieces.push(text);
        cancelling.cancel();
      },
    },
  );
  await expect(answer).rejects.toBeInstanceOf(CancellationError);
  expect(pieces).toEqual(['x']);
});

test('after a crash the next request starts another process with the same adapters', async () => {
  const service = sessionService();
  const session = await service.open(settings());
  await session.load('A', adapterAt('pirate'));
  let ends = 0;
  session.onDidEnd(() => ends++);
  await expect(session.generate({ prompt: 'crash' })).rejects.toThrow(/ended before it answered/);
  expect(ends).toBe(1);
  expect(service.loaded).toEqual([]);
  expect((await session.generate({ prompt: 'x', adapters: [{ name: 'A' }] })).text).toBe('A');
  expect(children.map(child => child.got.map(({ name }) => name))).toEqual([
    ['open', 'load_adapter', 'generate'],
    ['open', 'load_adapter', 'generate'],
  ]);
  expect(service.loaded).toHaveLength(1);
});

test('an adapter that can’t be attached again fails the answers that need it, and no others', async () => {
  const service = sessionService({
    prepare: child => {
      if (children.length < 2) return;
      child.engine.onRequest('load_adapter', () => {
        const record = { code: 'bad_input', message: 'there is no adapter here', file: '/pirate' };
        return new ResponseError(ENGINE_ERROR, record.message, record);
      });
    },
  });
  const session = await service.open(settings());
  await session.load('A', adapterAt('pirate'));
  children[0]!.exit(137);
  expect((await session.generate({ prompt: 'x' })).text).toBe('');
  await expect(session.generate({ prompt: 'x', adapters: [{ name: 'A' }] })).rejects.toThrow(
    'there is no adapter here',
  );
});

test('a process ends when it was unused for long, though it is held, and its memory can be asked meanwhile', async () => {
  const service = sessionService({ idleMs: 40 });
  const session = await service.open(settings());
  expect(await session.memory()).toEqual({ rss_bytes: 1, cache_bytes: 2, available_bytes: 3 });
  await expect.poll(() => children[0]!.stdin.writableEnded).toBe(true);
  await expect(session.memory()).rejects.toThrow('not running');
  expect(service.loaded).toEqual([]);
  expect(await session.countTokens({ text: 'x' })).toBe(3);
  expect(children).toHaveLength(2);
});

test('a base without holders stays in memory until it was unused for long', async () => {
  const service = sessionService();
  (await service.open(settings())).dispose();
  expect(service.loaded).toHaveLength(1);
  await service.open(settings());
  expect(children).toHaveLength(1);
});

test('a base that nobody waits for any more isn’t loaded', async () => {
  const service = sessionService({ prepare: child => (child.loading = new Promise(() => {})) });
  const [first, second] = [token(), token()];
  const opening = [first, second].map(each => service.open(settings(), { token: each as never }));
  const refused = opening.map(each => expect(each).rejects.toBeInstanceOf(CancellationError));
  await expect.poll(() => children[0]?.named('open')).toHaveLength(1);
  first.cancel();
  await refused[0];
  expect(children[0]!.stdin.writableEnded).toBe(false);
  second.cancel();
  await refused[1];
  expect(children[0]!.stdin.writableEnded).toBe(true);
});

test('a model that doesn’t fit is refused with what to change, and can be opened later', async () => {
  const record = { code: 'out_of_memory', message: 'needs about 9 GB of memory', hint: 'Set base_weights to "int4".' };
  const service = sessionService({ prepare: child => (child.refuse = children.length === 1 ? record : null) });
  await expect(service.open(settings())).rejects.toThrow(/needs about 9 GB.*\n.*int4/);
  await expect.poll(() => children[0]!.stdin.writableEnded).toBe(true);
  expect((await service.open(settings())).facts.model).toBe('embedded:tiny');
});

test('nothing is started in Restricted Mode', async () => {
  const start = vi.fn();
  const service = new ProcessSessions(
    { runs: () => [] } as never,
    { ensureInstalled: async () => true },
    {
      program: () => Promise.reject(new UntrustedWorkspaceError('no')),
      ...{ log: () => {}, idleMs: () => 60_000, start },
    },
  );
  await expect(service.open(settings())).rejects.toBeInstanceOf(UntrustedWorkspaceError);
  expect(start).not.toHaveBeenCalled();
});

test('all processes end with the window, and changes are heard', async () => {
  const service = sessionService();
  const counts: number[] = [];
  service.onDidChange(() => counts.push(service.loaded.length));
  await service.open(settings());
  expect(counts.at(-1)).toBe(1);
  service.endAll();
  expect(counts.at(-1)).toBe(0);
  await expect.poll(() => children[0]!.stdin.writableEnded).toBe(true);
});

test('says that runs share the cores', () => {
  expect(sessionService().sharingNote()).toBeNull();
  const runs = [
    { name: 'pirate', alive: true },
    { name: 'done', alive: false },
  ];
  expect(sessionService({ runs }).sharingNote()).toMatch(/^“pirate” is training on the same cores and memory\./);
  expect(sessionService({ runs: [...runs, { name: 'b', alive: true }] }).sharingNote()).toMatch(/^2 runs are training/);
});

test('TensorFlow is installed first, and without it no model is loaded, unless with wasm', async () => {
  let accepts = false;
  const ensureInstalled = vi.fn(async ({ backend }: { backend: string }) => accepts || backend === 'wasm');
  const service = sessionService({ ensureInstalled });
  await expect(service.open(settings())).rejects.toMatchObject({
    name: 'EngineInputError',
    message: expect.stringMatching(/not installed.*Try again/s),
  });
  expect(children).toEqual([]);
  await service.open(settings({ backend: 'wasm' }));
  accepts = true;
  await service.open(settings());
  expect(children).toHaveLength(2);
  expect(ensureInstalled.mock.calls.map(([{ backend }]) => backend)).toEqual(['auto', 'wasm', 'auto']);
});
