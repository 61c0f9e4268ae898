// How often the operating system has killed a process because memory ran out: compared before and after a process, it tells why that was
// killed. Called by what starts training processes.
import { readFileSync } from 'node:fs';

/** Of the machine, and of the container. */
const COUNTERS = ['/proc/vmstat', '/sys/fs/cgroup/memory.events'];

/** Null where the operating system doesn't count. */
export function oomKills(): number | null {
  const counts = COUNTERS.flatMap(path => {
    try {
      return Number(/^oom_kill (\d+)$/m.exec(readFileSync(path, 'latin1'))?.[1] ?? NaN);
    } catch {
      return [];
    }
  }).filter(count => !Number.isNaN(count));
  return counts.length > 0 ? Math.max(...counts) : null;
}

/** Those since `before`; null if either is unknown. */
export function oomKillsSince(before: number | null): number | null {
  const now = oomKills();
  return before === null || now === null ? null : now - before;
}
