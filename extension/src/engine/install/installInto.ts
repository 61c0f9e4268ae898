// Puts a library into the user's cache folder: under the lock of all installations, in a temporary folder that is renamed at the end.
// So a failed, stopped or killed installation leaves nothing that counts as installed.
import { existsSync } from 'node:fs';
import { readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder } from '../../system/makeFolder.js';
import { withInstallLock } from './installLock.js';
import { enginesFolder, installLockFile } from './paths.js';
import type { InstallContext } from './progress.js';

export interface Installer<T> {
  /** What is installed already and stays; null: nothing. Asked once other installations have ended. */
  present: () => Promise<T | null>;
  /** Makes and fills the folder `work`. @returns where it belongs, replacing what is there */
  fill: (work: string) => Promise<{ folder: string; installed: T }>;
}

export async function installInto<T>(
  { onProgress, signal }: InstallContext,
  { present, fill }: Installer<T>,
): Promise<T> {
  makeFolder(enginesFolder());
  const onWait = (holder: string) =>
    onProgress({ phase: 'wait', done: 0, total: null, message: `${holder} is installing` });
  return withInstallLock(installLockFile(), onWait, signal, async () => {
    const found = await present();
    if (found !== null) return found;
    await removeLeftovers();
    const work = join(enginesFolder(), `partial-${process.pid}`);
    try {
      const { folder, installed } = await fill(work);
      await putInPlace(work, folder);
      return installed;
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  });
}

async function putInPlace(work: string, folder: string): Promise<void> {
  const replaced = join(enginesFolder(), `replaced-${process.pid}`);
  if (existsSync(folder)) await rename(folder, replaced);
  await rename(work, folder);
  await rm(replaced, { recursive: true, force: true });
}

/** Removes what a killed installation left behind; safe, since this process holds the lock. */
async function removeLeftovers(): Promise<void> {
  for (const name of await readdir(enginesFolder()))
    if (/^(partial|replaced)-\d+$/.test(name)) await rm(join(enginesFolder(), name), { recursive: true, force: true });
}
