// A folder that an engine command fills: created next to its final path and renamed once complete, so that a failure or
// a cancellation leaves no partial folder, and an existing folder is only replaced by a complete one.
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { requireTrust, trusted } from '../trustedActions.js';

/** @param fill creates the folder at the given path */
export async function replaceFolder(folder: string, fill: (path: string) => Promise<unknown>): Promise<void> {
  requireTrust();
  const beside = (suffix: string) => join(dirname(folder), `.${basename(folder)}.${process.pid}.${suffix}`);
  const [partial, old] = [beside('partial'), beside('old')];
  try {
    await fill(partial);
    if (existsSync(folder)) trusted.rename(folder, old);
    trusted.rename(partial, folder);
    await trusted.removeFolder(old);
  } finally {
    if (existsSync(old) && !existsSync(folder)) trusted.rename(old, folder);
    await trusted.removeFolder(partial);
  }
}

/** `folder`, or if that exists, with the first number that makes it unique. */
export function freeFolder(folder: string): string {
  let free = folder;
  for (let i = 2; existsSync(free); i++) free = `${folder}-${i}`;
  return free;
}
