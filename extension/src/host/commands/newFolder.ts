// A folder that an engine command fills: created next to its final path and renamed once complete, so that a failure or
// a cancellation leaves no partial folder, and an existing folder is only replaced by a complete one. Imports no
// vscode.
import { existsSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** @param fill creates the folder at the given path */
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

/** `folder`, or if that exists, with the first number that makes it unique. */
export function freeFolder(folder: string): string {
  let free = folder;
  for (let i = 2; existsSync(free); i++) free = `${folder}-${i}`;
  return free;
}
