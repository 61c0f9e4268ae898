// Allows one installation at a time in a cache folder: a second one waits for the first. A lock that its process no longer holds is
// taken over.
import { setTimeout as sleep } from 'node:timers/promises';
import { claimFile, nameOfHolder } from '../../system/fileClaim.js';

const CHECK_MS = 200;

/** Runs `work` while this process holds the lock `file`; `onWait` is called once with the name of the process that has it. */
export async function withInstallLock<T>(
  file: string,
  onWait: (holder: string) => void,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  for (let waiting = false; ; waiting = true) {
    signal?.throwIfAborted();
    const claim = claimFile(file);
    if ('heldBy' in claim) {
      if (!waiting) onWait(nameOfHolder(claim.heldBy));
      await sleep(CHECK_MS, undefined, { signal });
      continue;
    }
    try {
      return await work();
    } finally {
      claim.release();
    }
  }
}
