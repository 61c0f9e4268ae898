// A stream of events to a client that reads, reads slowly, reads nothing, or goes away.
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { EventStream } from '../../../../extension/src/engine/serve/eventStream.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const STALL_MS = 1000;

function stream() {
  const onGone = vi.fn();
  return { onGone, events: new EventStream(onGone, STALL_MS) };
}

it('ends with [DONE] after all that was sent, whenever it is read', async () => {
  const { events, onGone } = stream();
  events.send({ a: 'x\ny' });
  events.end();
  events.end();
  events.send({ late: true });
  expect(await new Response(events.body).text()).toBe('data: {"a":"x\\ny"}\n\ndata: [DONE]\n\n');
  await vi.advanceTimersByTimeAsync(3 * STALL_MS);
  expect(onGone).not.toHaveBeenCalled();
  expect(vi.getTimerCount()).toBe(0);
});

it.each([true, false])('a client that reads nothing counts as gone, once (after the end: %s)', async ended => {
  const { events, onGone } = stream();
  events.send({ a: 1 });
  if (ended) events.end();
  await vi.advanceTimersByTimeAsync(5 * STALL_MS);
  expect(onGone).toHaveBeenCalledTimes(1);
  events.send({ b: 1 });
});

it('a client that reads slowly, or waits for an answer, does not', async () => {
  const { events, onGone } = stream();
  const reader = events.body.getReader();
  for (let i = 0; i < 5; i++) events.send({ i });
  for (let i = 0; i < 5; i++) {
    await reader.read();
    await vi.advanceTimersByTimeAsync(STALL_MS);
  }
  await vi.advanceTimersByTimeAsync(5 * STALL_MS);
  expect(onGone).not.toHaveBeenCalled();
});

it('a client that goes away is noticed at once', async () => {
  const { events, onGone } = stream();
  await events.body.cancel();
  expect(onGone).toHaveBeenCalledTimes(1);
  events.send({ a: 1 });
  events.end();
});
