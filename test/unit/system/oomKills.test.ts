// The counters of Linux, of the machine and of the container, and where there are none.
import { readFileSync } from 'node:fs';
import { expect, test, vi } from 'vitest';
import { oomKills, oomKillsSince } from '../../../extension/src/system/oomKills.js';

vi.mock('node:fs', () => ({ readFileSync: vi.fn() }));

function counters(files: Record<string, string>): void {
  vi.mocked(readFileSync).mockImplementation(path => {
    const text = files[String(path)];
    if (text === undefined) throw new Error('ENOENT');
    return text;
  });
}

test('the larger one, since a container counts its own', () => {
  counters({ '/proc/vmstat': 'pgfault 1\noom_kill 3\nx 1\n' });
  expect(oomKills()).toBe(3);
  counters({ '/proc/vmstat': 'oom_kill 0\n', '/sys/fs/cgroup/memory.events': 'low 0\noom 5\noom_kill 4\n' });
  expect(oomKills()).toBe(4);
  expect([oomKillsSince(1), oomKillsSince(4), oomKillsSince(null)]).toEqual([3, 0, null]);
});

test('unknown where nothing counts', () => {
  counters({ '/proc/vmstat': 'pgfault 1\n' });
  expect(oomKills()).toBeNull();
  expect(oomKillsSince(1)).toBeNull();
});
