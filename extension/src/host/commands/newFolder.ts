// A folder that an engine command fills: created next to its final path and renamed once complete, so that a failure or
// a cancellation leaves no partial folder, and an existing folder is only replaced by a complete one.
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { requireTrust, trusted } from '../trustedActions.js';
import { showWarningMessage } from '../window.js';

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

export interface NewPlace {
  path: string;
  /** Whether the user wants to replace what is there. */
  replaces: boolean;
}

/**
 * A path for something new: where something is already, the user says whether to replace it or to keep both.
 * @param extension of a file, before which a number is put
 * @param offers what the user can answer
 * @returns undefined if the user cancelled
 */
export async function newPlace(
  path: string,
  { extension = '', offers }: { extension?: string; offers: { replace: boolean; keepBoth: boolean } },
): Promise<NewPlace | undefined> {
  if (!existsSync(path)) return { path, replaces: false };
  const [replace, keepBoth] = ['Replace', 'Keep Both'];
  const answer = await showWarningMessage(
    `“${basename(path)}” already exists.`,
    { modal: true, detail: path },
    ...(offers.replace ? [replace] : []),
    ...(offers.keepBoth ? [keepBoth] : []),
  );
  if (answer === undefined) return undefined;
  return answer === replace ? { path, replaces: true } : { path: freePath(path, extension), replaces: false };
}

/** With the first number that makes it unique. */
function freePath(path: string, extension: string): string {
  const name = path.slice(0, path.length - extension.length);
  let free = path;
  for (let i = 2; existsSync(free); i++) free = `${name}-${i}${extension}`;
  return free;
}
