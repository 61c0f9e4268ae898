// Memory of processes and of the machine, in bytes. Called by the training loop (every step), the estimate and
// `engine status`; collectGarbage is called after releasing a lot of memory.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { freemem } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Current resident memory of this process, including TensorFlow's. */
export function rssBytes(): number {
  return process.memoryUsage.rss();
}

const PAGE_BYTES = 4096;

/** Of another process; null where the operating system doesn't say. */
export function rssBytesOf(pid: number): number | null {
  try {
    if (process.platform === 'linux')
      return Number(readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1]) * PAGE_BYTES;
    if (process.platform === 'win32') return null;
    return Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })) * 1024;
  } catch {
    return null;
  }
}

/** Peak resident memory of this process so far. */
export function peakRssBytes(): number {
  // Unlike VmHWM, Linux's maxRSS starts at the peak of the parent process.
  if (process.platform === 'linux') {
    const peak = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'));
    if (peak) return Number(peak[1]) * 1024;
  }
  return process.resourceUsage().maxRSS * 1024;
}

/** Memory that this process may still use without swapping: MemAvailable on Linux, or less if a cgroup limits it. */
export function availableMemoryBytes(): number {
  return Math.min(freemem(), process.availableMemory());
}

let collect: (() => void) | undefined;

/**
 * Frees unreachable JavaScript objects. V8 waits until its own memory runs short, and doesn't know what TensorFlow is about to
 * allocate: arrays that the backend has copied, or a traced graph, would add to the peak of a step. Takes about 30 ms.
 */
export function collectGarbage(): void {
  if (!collect) {
    // The only way in a process that was started without the flag.
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
  }
  collect();
}
