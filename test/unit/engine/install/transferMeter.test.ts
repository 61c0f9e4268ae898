import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { InstallProgress } from '../../../../extension/src/engine/install/progress.js';
import { TransferMeter } from '../../../../extension/src/engine/install/transferMeter.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('reports bytes and the speed of the last seconds, also while the connection stalls', async () => {
  const reported: InstallProgress[] = [];
  const meter = new TransferMeter({ phase: 'download', message: 'x' }, null, progress => reported.push(progress));
  async function* source() {
    yield Buffer.alloc(4000);
    await vi.advanceTimersByTimeAsync(1000);
    meter.expect(5000);
    await vi.advanceTimersByTimeAsync(4000);
    yield Buffer.alloc(1000);
  }
  let bytes = 0;
  for await (const chunk of meter.count(source())) bytes += chunk.length;
  expect(bytes).toBe(5000);
  expect(reported[0]).toEqual({ phase: 'download', message: 'x', done: 0, total: null });
  expect(reported[4]).toMatchObject({ done: 4000, total: null, bytes_per_second: 4000 });
  expect(reported[18]).toMatchObject({ done: 4000, total: 5000, bytes_per_second: 0 });
  expect(reported.at(-1)).toMatchObject({ done: 5000, total: 5000 });
  expect(vi.getTimerCount()).toBe(0);
});
