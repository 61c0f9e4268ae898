// What is at a path. Node's `throwIfNoEntry: false` throws for a path below a file, where there is nothing either.
import { lstatSync, statSync, type Stats } from 'node:fs';

/** undefined if there is nothing. @throws NodeJS.ErrnoException, such as for a folder that may not be read */
export function statOf(path: string): Stats | undefined {
  return unlessBelowFile(() => statSync(path, { throwIfNoEntry: false }));
}

/** The same of a link itself. */
export function linkStatOf(path: string): Stats | undefined {
  return unlessBelowFile(() => lstatSync(path, { throwIfNoEntry: false }));
}

export function isFolder(path: string): boolean {
  return statOf(path)?.isDirectory() ?? false;
}

export function isLink(path: string): boolean {
  return linkStatOf(path)?.isSymbolicLink() ?? false;
}

function unlessBelowFile(read: () => Stats | undefined): Stats | undefined {
  try {
    return read();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return undefined;
    throw error;
  }
}
