// What is at a path. Node's `throwIfNoEntry: false` throws for a path below a file, and for a name that is too long for any file, where
// there is nothing either.
import { lstatSync, statSync, type Stats } from 'node:fs';

/** undefined if there is nothing. @throws NodeJS.ErrnoException, such as for a folder that may not be read */
export function statOf(path: string): Stats | undefined {
  return unlessImpossible(() => statSync(path, { throwIfNoEntry: false }));
}

/** The same of a link itself. */
export function linkStatOf(path: string): Stats | undefined {
  return unlessImpossible(() => lstatSync(path, { throwIfNoEntry: false }));
}

export function isFolder(path: string): boolean {
  return statOf(path)?.isDirectory() ?? false;
}

export function isLink(path: string): boolean {
  return linkStatOf(path)?.isSymbolicLink() ?? false;
}

function unlessImpossible(read: () => Stats | undefined): Stats | undefined {
  try {
    return read();
  } catch (error) {
    if (['ENOTDIR', 'ENAMETOOLONG'].includes((error as NodeJS.ErrnoException).code!)) return undefined;
    throw error;
  }
}
