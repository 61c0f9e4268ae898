// Ends this process when its parent has ended, even while it is busy and reads neither its input nor its messages. Called by
// processes that are of no use without the one that started them, and by main.ts for those that were started so.
import { Worker } from 'node:worker_threads';

const LOOK_EVERY_MS = 1000;

/** Time to save and to remove what is unfinished, after SIGTERM. */
const GRACE_MS = 60_000;

/** Has the pid of the process with which a command is to end. */
const PARENT = 'TUNEWRIGHT_PARENT';

/** Runs in its own thread. A process gets another parent when its own has ended, except on Windows. */
const WATCH = `
  const { workerData: { parent, graceMs } } = require('node:worker_threads');
  const end = signal => process.kill(process.pid, signal);
  const looking = setInterval(() => {
    let hasEnded = process.ppid !== parent;
    try {
      process.kill(parent, 0);
    } catch (error) {
      hasEnded ||= error.code === 'ESRCH';
    }
    if (!hasEnded) return;
    clearInterval(looking);
    if (graceMs > 0) end('SIGTERM');
    setTimeout(() => end('SIGKILL'), graceMs);
  }, ${LOOK_EVERY_MS});
`;

/** For a process that has nothing to lose: it is killed. */
export function endWithParent(): void {
  watch(process.ppid, 0);
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
  if (parent > 0) watch(parent, GRACE_MS);
}

function watch(parent: number, graceMs: number): void {
  const watcher = new Worker(WATCH, {
    eval: true,
    workerData: { parent, graceMs },
    resourceLimits: { maxOldGenerationSizeMb: 16 },
  });
  watcher.unref();
}
