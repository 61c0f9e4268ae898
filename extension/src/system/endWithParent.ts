// Ends this process when its parent has ended, even while it is busy and reads neither its input nor its messages. Called by
// processes that are of no use without the one that started them, of which the resident engine also ends when it is stuck, and by
// main.ts for those that were started so.
import { Worker } from 'node:worker_threads';

const LOOK_EVERY_MS = 1000;

/** Time to save and to remove what is unfinished, after SIGTERM. */
const GRACE_MS = 60_000;

/** Has the pid of the process with which a command is to end. */
const PARENT = 'TUNEWRIGHT_PARENT';

/** Runs in its own thread. A process gets another parent when its own has ended, except on Windows. */
const WATCH = `
  const { parent, graceMs, beats, stuckLooks } = require('node:worker_threads').workerData;
  const end = signal => process.kill(process.pid, signal);
  let seen = 0;
  let unchanged = 0;
  const looking = setInterval(() => {
    let hasEnded = process.ppid !== parent;
    try {
      process.kill(parent, 0);
    } catch (error) {
      hasEnded ||= error.code === 'ESRCH';
    }
    unchanged = beats[0] === seen ? unchanged + 1 : 0;
    seen = beats[0];
    if (unchanged >= stuckLooks) end('SIGKILL');
    if (!hasEnded) return;
    clearInterval(looking);
    if (graceMs > 0) end('SIGTERM');
    setTimeout(() => end('SIGKILL'), graceMs);
  }, ${LOOK_EVERY_MS});
`;

/**
 * For a process that has nothing to lose: it is killed.
 * @param stuckMs also ends it once it has been busy for this time without a pause, which only work that never ends is. Counted
 *   by looks, so that a machine that was asleep doesn't end it
 */
export function endWithParent({ stuckMs = Infinity } = {}): void {
  watch(process.ppid, { graceMs: 0, stuckMs });
}

/** Environment in which a command ends with the process that starts it: asked first, killed if it doesn't within a minute. */
export function endingWithThis(): Record<string, string> {
  return { [PARENT]: String(process.pid) };
}

/** Does so in a process that was started with {@link endingWithThis}. */
export function endWithNamedParent(): void {
  const parent = Number(process.env[PARENT]);
  // Not for the processes that it starts itself.
  delete process.env[PARENT];
  if (parent > 0) watch(parent, { graceMs: GRACE_MS, stuckMs: Infinity });
}

function watch(parent: number, { graceMs, stuckMs }: { graceMs: number; stuckMs: number }): void {
  const beats = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  setInterval(() => Atomics.add(beats, 0, 1), LOOK_EVERY_MS / 2).unref();
  const watcher = new Worker(WATCH, {
    eval: true,
    workerData: { parent, graceMs, beats, stuckLooks: stuckMs / LOOK_EVERY_MS },
    resourceLimits: { maxOldGenerationSizeMb: 16 },
  });
  watcher.unref();
}
