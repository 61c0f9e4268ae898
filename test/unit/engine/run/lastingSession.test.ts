import { beforeEach, expect, it, vi } from 'vitest';
import type { Session } from '../../../../extension/src/engine/generation/session.js';
import { LastingSession } from '../../../../extension/src/engine/run/lastingSession.js';

const gpu = vi.hoisted(() => ({ failed: false }));
vi.mock('../../../../extension/src/engine/backend/webgpuBackend.js', () => ({ webgpuHasFailed: () => gpu.failed }));
beforeEach(() => void (gpu.failed = false));

const ADAPTERS = [{ name: 'A', path: '/a' }];

/** A session of these adapters, with what was done to it. */
function fakeSession(text: string, calls: string[], backend = 'webgpu'): Session {
  let attached = ADAPTERS;
  return {
    facts: { backend },
    adapters: () => attached,
    generate: async () => {
      if (gpu.failed) throw new Error('lost');
      return { text };
    },
    dispose: () => {
      attached = [];
      calls.push(`disposed ${text}`);
    },
  } as unknown as Session;
}

it('opens model and adapters again at the request after the one that failed, once for all that wait', async () => {
  const calls: string[] = [];
  const open = async (adapters: readonly object[]) => {
    gpu.failed = false;
    calls.push(`opened with ${JSON.stringify(adapters)}`);
    return fakeSession('second', calls);
  };
  const session = new LastingSession(fakeSession('first', calls), open, { warn: code => void calls.push(code) });
  const ask = () => session.generate({ prompt: 'x' });
  expect((await ask()).text).toBe('first');
  gpu.failed = true;
  const answers = await Promise.all([ask(), ask()]);
  expect(answers.map(({ text }) => text)).toEqual(['second', 'second']);
  expect(calls).toEqual(['gpu_reopened', 'disposed first', `opened with ${JSON.stringify(ADAPTERS)}`]);
});

it('tries again if it could not be opened, with the same adapters', async () => {
  const calls: string[] = [];
  let tries = 0;
  const open = async (adapters: readonly object[]) => {
    gpu.failed = false;
    expect(adapters).toEqual(ADAPTERS);
    if (++tries === 1) throw new Error('no GPU');
    return fakeSession('second', calls);
  };
  const session = new LastingSession(fakeSession('first', calls), open, { warn: () => {} });
  gpu.failed = true;
  await expect(session.generate({ prompt: 'x' })).rejects.toThrow('no GPU');
  expect((await session.generate({ prompt: 'x' })).text).toBe('second');
  session.dispose();
  expect(calls).toEqual(['disposed first', 'disposed second']);
});

it('of another backend stays as it is', async () => {
  const open = () => expect.unreachable();
  const session = new LastingSession(fakeSession('cpu', [], 'tensorflow'), open, { warn: () => {} });
  gpu.failed = true;
  await expect(session.generate({ prompt: 'x' })).rejects.toThrow('lost');
});
