// Memory of this process and of the machine, in bytes. Called by the training loop (every step), the estimate and
// `engine status`; collectGarbage by whoever has let go of a lot.
import { readFileSync } from 'node:fs';
import { freemem } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Resident memory of this process now, TensorFlow's included. */
export function rssBytes(): number {
  return process.memoryUsage.rss();
}

/** The highest resident memory of this process so far. */
export function peakRssBytes(): number {
  // Linux's maxRSS starts at the parent's peak, VmHWM doesn't
  if (process.platform === 'linux') {
    const peak = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'));
    if (peak) return Number(peak[1]) * 1024;
  }
  return process.resourceUsage().maxRSS * 1024;
}

/** What this process may still take without swapping: MemAvailable on Linux, less where a cgroup limits it. */
export function availableMemoryBytes(): number {
  return Math.min(freemem(), process.availableMemory());
}

let collect: (() => void) | undefined;

/**
 * Gives back what JavaScript has let go of. V8 waits until it runs short of memory of its own, and knows nothing of what
 * TensorFlow is about to take: arrays that the backend has copied, or a traced graph, would stand beside a step's peak.
 * Takes about 30 ms.
 */
export function collectGarbage(): void {
  if (!collect) {
    // The one way to it in a process that was started without the flag.
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
  }
  collect();
}
