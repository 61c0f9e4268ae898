// Allows one installation at a time in a cache folder: a second one waits for the first. A lock of a dead process is taken over.
// If two processes do that at the same time, the work is merely done twice, since an installation is put in place by one rename.
import { readFile, rm, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive } from '../machine/processAlive.js';

/** Runs `work` while this process holds the lock `file`; `onWait` is called once with the process that has it. */
export async function withInstallLock<T>(
  file: string,
  onWait: (pid: number) => void,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  let waiting = false;
  for (;;) {
    signal?.throwIfAborted();
    try {
      await writeFile(file, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = await readHolder(file);
    if (holder !== null && !isAlive(holder)) {
      await rm(file, { force: true });
      continue;
    }
    if (!waiting && holder !== null) onWait(holder);
    waiting ||= holder !== null;
    await sleep(200, undefined, { signal });
  }
  try {
    return await work();
  } finally {
    await rm(file, { force: true });
  }
}

/** Pid in the lock file; null while it is being written or has just been removed. */
async function readHolder(file: string): Promise<number | null> {
  const pid = Number.parseInt(await readFile(file, 'utf8').catch(() => ''), 10);
  return Number.isNaN(pid) ? null : pid;
}
