// Memory of this process and of the machine, in bytes. Called by the training loop (every step), the estimate and
// `engine status`.
import { readFileSync } from 'node:fs';
import { freemem } from 'node:os';

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
