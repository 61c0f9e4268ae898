// Creates a folder with its parents. Used instead of Node's recursive mkdir, which never ends where the operating system refuses
// folders below one that exists, as in /proc.
import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { InputError } from '../core/inputError.js';
import { isFolder } from './fileStat.js';
import { folderMode, keepPrivate, PRIVATE_FOLDER } from './privateFolder.js';

/**
 * Does nothing if the folder exists.
 * @throws InputError where no folder can be created; NodeJS.ErrnoException as for a full disk or a missing permission
 */
export function makeFolder(path: string): void {
  const missing: string[] = [];
  let present = resolve(path);
  while (!existsSync(present) && dirname(present) !== present) {
    missing.unshift(present);
    present = dirname(present);
  }
  for (const folder of missing.length > 0 ? missing : [present]) makeOne(folder);
}

/** Makes a folder for the user alone, or makes it so if it exists; what this process creates in it is private too. @throws as `makeFolder` */
export function makePrivateFolder(path: string): void {
  keepPrivate(path);
  makeFolder(path);
  try {
    chmodSync(path, PRIVATE_FOLDER);
  } catch {
    // The folder of another user, or on a disk without modes.
  }
}

function makeOne(folder: string): void {
  try {
    mkdirSync(folder, { mode: folderMode(folder) });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (isFolder(folder)) return;
    const reasons: Record<string, string> = {
      ENOENT: 'no folder can be created here',
      EEXIST: 'this is not a folder',
    };
    if (!code || !(code in reasons)) throw error;
    throw new InputError(reasons[code]!, { file: folder, hint: 'Choose another folder.' });
  }
}
