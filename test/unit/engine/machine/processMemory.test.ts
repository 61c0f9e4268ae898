// Where the figures come from, and their unit. How much memory a process has is up to the machine, so no test relies on it.
import { readFileSync } from 'node:fs';
import { freemem, totalmem } from 'node:os';
import { runInNewContext } from 'node:vm';
import { afterEach, expect, it, vi } from 'vitest';
import {
  availableMemoryBytes,
  collectGarbage,
  peakRssBytes,
  rssBytes,
} from '../../../../extension/src/engine/machine/processMemory.js';

vi.mock('node:fs', { spy: true });
vi.mock('node:os', { spy: true });
vi.mock('node:vm', { spy: true });
afterEach(() => vi.restoreAllMocks());

it('counts in bytes', () => {
  for (const measured of [rssBytes(), peakRssBytes(), availableMemoryBytes()]) {
    expect(measured).toBeGreaterThan(1e6);
    expect(measured).toBeLessThanOrEqual(totalmem());
  }
});

it.runIf(process.platform === 'linux')('the peak is that of Linux for this process', () => {
  vi.mocked(readFileSync).mockReturnValueOnce('VmPeak:\t  900000 kB\nVmHWM:\t  123456 kB\nVmRSS:\t   100000 kB\n');
  expect(peakRssBytes()).toBe(123_456 * 1024);
});

it('the peak is that of Node where Linux has none', () => {
  vi.mocked(readFileSync).mockReturnValueOnce('VmRSS:\t   100000 kB\n');
  const usage = process.resourceUsage();
  vi.spyOn(process, 'resourceUsage').mockReturnValue({ ...usage, maxRSS: 4321 });
  expect(peakRssBytes()).toBe(4321 * 1024);
});

it('what is available is the smaller of what the machine and a cgroup leave', () => {
  const limited = vi.spyOn(process, 'availableMemory').mockReturnValue(3e9);
  vi.mocked(freemem).mockReturnValue(5e9);
  expect(availableMemoryBytes()).toBe(3e9);
  limited.mockReturnValue(8e9);
  expect(availableMemoryBytes()).toBe(5e9);
});

it('V8 is asked for a full collection, each time', () => {
  const collect = vi.fn();
  vi.mocked(runInNewContext).mockReturnValueOnce(collect);
  collectGarbage();
  collectGarbage();
  expect(runInNewContext).toHaveBeenCalledExactlyOnceWith('gc');
  expect(collect.mock.calls).toEqual([[], []]);
});
