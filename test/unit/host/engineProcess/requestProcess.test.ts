// A process that answers requests, with a fake one: two streams and the events of a child process.
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { afterEach, expect, test, vi } from 'vitest';
import { ProgressType, ResponseError } from 'vscode-jsonrpc/node';
import * as z from 'zod';
import {
  RequestProcess,
  type RequestProcessOptions,
} from '../../../../extension/src/host/engineProcess/requestProcess.js';
import { EngineFailure, EngineInputError, UntrustedWorkspaceError } from '../../../../extension/src/host/services.js';
import { requestType } from '../../../../extension/src/protocol/messageTypes.js';
import { FakeChild } from '../../../support/fakeChild.js';
import { ENGINE_ERROR, progressSchema, type Progress } from '../../../../extension/src/protocol/residentMessages.js';

const { CancellationError } = vi.hoisted(() => ({ CancellationError: class extends Error {} }));
vi.mock('vscode', () => ({ CancellationError }));

const double = requestType('double', z.object({ value: z.number() }), z.number(), progressSchema);

let children: FakeChild[] = [];
const engines: RequestProcess[] = [];
afterEach(() => {
  engines.splice(0).forEach(engine => engine.dispose());
  children = [];
  vi.useRealTimers();
});

function requestProcess(
  prepare: (child: FakeChild) => void = () => {},
  idleMs = 60_000,
  more: Partial<RequestProcessOptions> = {},
): RequestProcess {
  const engine = new RequestProcess({
    command: 'resident',
    program: async () => ({ command: 'node', args: [], env: {} }),
    log: () => {},
    idleMs: () => idleMs,
    ...more,
    start: () => {
      const child = new FakeChild();
      child.engine.onRequest(double.name, ({ value }: { value: number }) => 2 * value);
      prepare(child);
      children.push(child);
      return child as unknown as ChildProcessWithoutNullStreams;
    },
  });
  engines.push(engine);
  return engine;
}

test('one process answers every request, started by the first of them', async () => {
  const engine = requestProcess();
  expect(children).toHaveLength(0);
  const answers = [1, 2, 3].map(value => engine.request(double, { value }));
  expect(await Promise.all(answers)).toEqual([2, 4, 6]);
  expect(await engine.request(double, { value: 4 })).toBe(8);
  expect(children).toHaveLength(1);
});

test('an answer that doesn’t match its schema is an error', async () => {
  const engine = requestProcess(({ engine: other }) => other.onRequest(double.name, () => 'four'));
  await expect(engine.request(double, { value: 2 })).rejects.toThrow(/expected number/);
});

test('errors come with their record: bad input, failures, a cancelled request', async () => {
  let code = 'bad_input';
  const engine = requestProcess(({ engine: other }) =>
    other.onRequest(double.name, () => new ResponseError(ENGINE_ERROR, 'no', { code, message: 'no', key: 'method.r' })),
  );
  const error = await engine.request(double, { value: 1 }).catch(thrown => thrown as EngineInputError);
  expect(error).toBeInstanceOf(EngineInputError);
  expect(error).toMatchObject({ message: 'method.r: no', record: { code: 'bad_input', key: 'method.r' } });
  code = 'internal';
  await expect(engine.request(double, { value: 1 })).rejects.toBeInstanceOf(EngineFailure);
  code = 'cancelled';
  await expect(engine.request(double, { value: 1 })).rejects.toBeInstanceOf(CancellationError);
});

test('a cancelled token reaches the engine', async () => {
  const emitter = new EventEmitter();
  const engine = requestProcess(({ engine: other }) =>
    other.onRequest(double.name, (_params, token) => {
      const answered = new Promise(resolve =>
        token.onCancellationRequested(() =>
          resolve(new ResponseError(ENGINE_ERROR, 'cancelled', { code: 'cancelled', message: 'cancelled' })),
        ),
      );
      // Not before the engine has the request.
      emitter.emit('fired');
      return answered;
    }),
  );
  const token = {
    isCancellationRequested: false,
    onCancellationRequested: (listener: () => void) => {
      emitter.on('fired', listener);
      return { dispose: () => emitter.off('fired', listener) };
    },
  };
  await expect(engine.request(double, { value: 1 }, { token: token as never })).rejects.toBeInstanceOf(
    CancellationError,
  );
});

test('progress goes to the request that it belongs to', async () => {
  const engine = requestProcess(({ engine: other }) =>
    other.onRequest(double.name, async ({ value, progressToken }: { value: number; progressToken: number }) => {
      const told = { phase: 'estimate', done: value, total: 8, message: 'LORA' };
      await other.sendProgress(new ProgressType<Progress>(), progressToken, told);
      return 2 * value;
    }),
  );
  const told: number[][] = [[], []];
  await Promise.all(
    told.map((heard, i) => engine.request(double, { value: i }, { onProgress: ({ done }) => heard.push(done) })),
  );
  expect(told).toEqual([[0], [1]]);
});

test('after a crash open requests fail with its last output, and the next one starts another process', async () => {
  const crash = (child: FakeChild) =>
    child.engine.onRequest(double.name, () => {
      child.stderr.write('Killed by the machine\n');
      setTimeout(() => child.exit(137), 10);
      return new Promise(() => {});
    });
  const engine = requestProcess(child => children.length === 0 && crash(child));
  const failed = await engine.request(double, { value: 1 }).catch(thrown => thrown as Error);
  expect(failed).toBeInstanceOf(EngineFailure);
  expect(failed).toMatchObject({ message: expect.stringContaining('Killed by the machine') });
  expect(await engine.request(double, { value: 2 })).toBe(4);
  expect(children).toHaveLength(2);
});

test('it ends after an idle time, when its input closes, and starts again with the next request', async () => {
  const engine = requestProcess(undefined, 30);
  await engine.request(double, { value: 1 });
  await expect.poll(() => children[0]!.stdin.writableEnded).toBe(true);
  expect(children[0]!.killed).toBe(false);
  expect(await engine.request(double, { value: 3 })).toBe(6);
  expect(children).toHaveLength(2);
});

test('`end` ends it, as after a change of settings or when the window closes', async () => {
  const engine = requestProcess();
  await engine.request(double, { value: 1 });
  engine.end();
  await expect.poll(() => children[0]!.stdin.writableEnded).toBe(true);
  expect(await engine.request(double, { value: 1 })).toBe(2);
  expect(children).toHaveLength(2);
});

test('a failed start, as in Restricted Mode, leaves no trace', async () => {
  let program: () => Promise<never> = () => Promise.reject(new UntrustedWorkspaceError('no'));
  const start = vi.fn(() => new FakeChild() as unknown as ChildProcessWithoutNullStreams);
  const engine = new RequestProcess({
    command: 'resident',
    program: () => program(),
    log: () => {},
    idleMs: () => 60_000,
    start,
  });
  await expect(engine.request(double, { value: 1 })).rejects.toBeInstanceOf(UntrustedWorkspaceError);
  program = () => Promise.reject(new Error('no Node'));
  await expect(engine.request(double, { value: 1 })).rejects.toThrow('no Node');
  expect(start).not.toHaveBeenCalled();
  engine.dispose();
});
