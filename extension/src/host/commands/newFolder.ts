// A folder that a command of the engine fills: made beside its place and put there once it is whole, so that neither a failure
// nor a cancellation leaves half of one, and what stood there goes only for something complete. Imports no vscode.
import { existsSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** @param fill makes the folder at the path it is given */
export async function replaceFolder(folder: string, fill: (path: string) => Promise<unknown>): Promise<void> {
  const beside = (suffix: string) => join(dirname(folder), `.${basename(folder)}.${process.pid}.${suffix}`);
  const [partial, old] = [beside('partial'), beside('old')];
  try {
    await fill(partial);
    if (existsSync(folder)) await rename(folder, old);
    await rename(partial, folder);
    await rm(old, { recursive: true, force: true });
  } finally {
    if (existsSync(old) && !existsSync(folder)) await rename(old, folder);
    await rm(partial, { recursive: true, force: true });
  }
}

/** `folder`, or the same with the first number that is free. */
export function freeFolder(folder: string): string {
  let free = folder;
  for (let i = 2; existsSync(free); i++) free = `${folder}-${i}`;
  return free;
}
