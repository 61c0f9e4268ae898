// Ends this process when its parent has ended, even while it is busy and reads neither its input nor its messages. Called by
// processes that are of no use without the one that started them: the dataset worker and the resident engine.
import { Worker } from 'node:worker_threads';

const LOOK_EVERY_MS = 1000;

/** Runs in its own thread. A process gets another parent when its own has ended, except on Windows. */
const WATCH = `
  const { workerData: parent } = require('node:worker_threads');
  setInterval(() => {
    let hasEnded = process.ppid !== parent;
    try {
      process.kill(parent, 0);
    } catch (error) {
      hasEnded ||= error.code === 'ESRCH';
    }
    if (hasEnded) process.kill(process.pid, 'SIGKILL');
  }, ${LOOK_EVERY_MS});
`;

/** The process must have nothing to lose: it is killed. */
export function endWithParent(): void {
  const watcher = new Worker(WATCH, {
    eval: true,
    workerData: process.ppid,
    resourceLimits: { maxOldGenerationSizeMb: 16 },
  });
  watcher.unref();
}
