// Ends this process when its parent has ended, even while it is busy and reads neither its input nor its messages. Called by
// processes that are of no use without the one that started them: the dataset worker and the resident engine, which also ends
// when it is stuck.
import { Worker } from 'node:worker_threads';

const LOOK_EVERY_MS = 1000;

/** Runs in its own thread. A process gets another parent when its own has ended, except on Windows. */
const WATCH = `
  const { parent, beats, stuckLooks } = require('node:worker_threads').workerData;
  let seen = 0;
  let unchanged = 0;
  setInterval(() => {
    let hasEnded = process.ppid !== parent;
    try {
      process.kill(parent, 0);
    } catch (error) {
      hasEnded ||= error.code === 'ESRCH';
    }
    unchanged = beats[0] === seen ? unchanged + 1 : 0;
    seen = beats[0];
    if (hasEnded || unchanged >= stuckLooks) process.kill(process.pid, 'SIGKILL');
  }, ${LOOK_EVERY_MS});
`;

/**
 * The process must have nothing to lose: it is killed.
 * @param stuckMs also ends it once it has been busy for this time without a pause, which only work that never ends is. Counted
 *   by looks, so that a machine that was asleep doesn't end it
 */
export function endWithParent({ stuckMs = Infinity } = {}): void {
  const beats = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  setInterval(() => Atomics.add(beats, 0, 1), LOOK_EVERY_MS / 2).unref();
  const watcher = new Worker(WATCH, {
    eval: true,
    workerData: { parent: process.ppid, beats, stuckLooks: stuckMs / LOOK_EVERY_MS },
    resourceLimits: { maxOldGenerationSizeMb: 16 },
  });
  watcher.unref();
}
