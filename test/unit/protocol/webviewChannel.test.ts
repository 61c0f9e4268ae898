import { describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import { notificationType, nothing, requestType } from '../../../extension/src/protocol/messageTypes.js';
import {
  ChannelClosedError,
  RemoteError,
  WebviewChannel,
  type ChannelPort,
} from '../../../extension/src/protocol/webviewChannel.js';

const double = requestType('double', z.number(), z.number());
const ping = requestType('ping', nothing, nothing);
const moved = notificationType('moved', z.object({ step: z.int() }));

/** VS Code sends JSON that keeps typed arrays but omits `undefined`. */
function asSent(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
  if (Array.isArray(value)) return value.map(asSent);
  const kept = Object.entries(value).filter(([, each]) => each !== undefined);
  return Object.fromEntries(kept.map(([key, each]) => [key, asSent(each)]));
}

/** Two ports over a queue. */
function connected() {
  const listeners: ((message: unknown) => void)[][] = [[], []];
  const faults: string[] = [];
  const port = (own: 0 | 1): ChannelPort => ({
    post: message => {
      const copy = asSent(structuredClone(message));
      queueMicrotask(() => listeners[1 - own]!.forEach(listener => listener(copy)));
    },
    listen: listener => {
      listeners[own]!.push(listener);
      return () => void listeners[own]!.splice(listeners[own]!.indexOf(listener), 1);
    },
  });
  const raw = [port(0), port(1)] as const;
  const [host, view] = raw.map(each => new WebviewChannel(each, fault => faults.push(fault))) as [
    WebviewChannel,
    WebviewChannel,
  ];
  return { host, view, raw, faults, listeners };
}
const settled = () => new Promise(resolve => setTimeout(resolve, 0));

describe('WebviewChannel', () => {
  it('matches replies to requests in any order', async () => {
    const { host, view } = connected();
    const release: (() => void)[] = [];
    host.onRequest(double, async value => {
      if (value === 1) await new Promise<void>(resolve => release.push(resolve));
      return 2 * value;
    });
    const slow = view.request(double, 1);
    await expect(view.request(double, 2)).resolves.toBe(4);
    release[0]!();
    await expect(slow).resolves.toBe(2);
  });

  it('accepts undefined as params and result', async () => {
    const { host, view } = connected();
    host.onRequest(ping, () => undefined);
    await expect(view.request(ping, undefined)).resolves.toBeUndefined();
  });

  it('sends errors thrown by a handler back as an error reply', async () => {
    const { host, view } = connected();
    host.onRequest(double, () => {
      throw new Error('no such model');
    });
    const failure = view.request(double, 1);
    await expect(failure).rejects.toThrow('no such model');
    await expect(failure).rejects.toBeInstanceOf(RemoteError);
  });

  it('replies with an error if the request has no handler or invalid params', async () => {
    const { host, view } = connected();
    await expect(view.request(double, 1)).rejects.toThrow('no handler for request double');
    host.onRequest(double, value => value);
    await expect(view.request(double, 'three' as never)).rejects.toThrow(/request double.*number/s);
  });

  it('rejects an invalid result', async () => {
    const { host, view } = connected();
    host.onRequest(double, () => 'four' as never);
    await expect(view.request(double, 2)).rejects.toThrow(/answer to double/);
  });

  it('delivers valid notifications and reports invalid ones', async () => {
    const { host, view, faults } = connected();
    const handler = vi.fn();
    view.onNotification(moved, handler);
    host.notify(moved, { step: 3 });
    host.notify(moved, { step: 'x' } as never);
    host.notify(notificationType('unknown', nothing), undefined);
    await settled();
    expect(handler.mock.calls).toEqual([[{ step: 3 }]]);
    expect(faults).toHaveLength(2);
    expect(faults[0]).toMatch(/notification moved/);
  });

  it('keeps typed arrays', async () => {
    const { host, view } = connected();
    const columns = requestType('columns', nothing, z.instanceof(Float64Array));
    host.onRequest(columns, () => Float64Array.of(1, NaN));
    expect(await view.request(columns, undefined)).toEqual(Float64Array.of(1, NaN));
  });

  it('rejects pending requests when it is disposed, and all later ones', async () => {
    const { host, view, listeners } = connected();
    host.onRequest(double, () => new Promise<number>(() => {}));
    const waiting = view.request(double, 1);
    await settled();
    view.dispose();
    await expect(waiting).rejects.toBeInstanceOf(ChannelClosedError);
    await expect(view.request(double, 1)).rejects.toBeInstanceOf(ChannelClosedError);
    expect(listeners[1]).toHaveLength(0);
  });

  it('ignores messages of others', async () => {
    const { raw, faults } = connected();
    raw[0].post({ type: 'vscode-theme' });
    raw[0].post('text');
    await settled();
    expect(faults).toEqual([]);
  });

  it('rejects a second handler for a message', () => {
    const { host } = connected();
    host.onRequest(double, value => value);
    expect(() => host.onRequest(double, value => value)).toThrow('double has a handler already');
  });
});
