// Run folders are for the user alone, since they have rows, prompts and answers. Called by whatever makes or opens one; makeFolder.ts,
// regularFile.ts and the engine's writers ask here for modes. Everything else has those of the umask, also the exports in a run
// folder, which are for others.
import { join, resolve, sep } from 'node:path';

export const PRIVATE_FOLDER = 0o700;
const PRIVATE_FILE = 0o600;
/** The umask that leaves nothing to others. */
const OTHERS = 0o077;
const EXPORTS = 'exports';

const folders = new Set<string>();

/** What this process creates in the folder from now on is private. What is there keeps its mode. */
export function keepPrivate(folder: string): void {
  folders.add(resolve(folder));
}

/** The mode to create a folder with; the umask applies to it. */
export function folderMode(path: string): number {
  return isPrivate(path) ? PRIVATE_FOLDER : 0o777;
}

/** The mode to create a file with; the umask applies to it. */
export function fileMode(path: string): number {
  return isPrivate(path) ? PRIVATE_FILE : 0o666;
}

/** For files that other code creates: runs synchronous work whose files and folders are private if `path` is. */
export function withModesOf<T>(path: string, work: () => T): T {
  if (!isPrivate(path)) return work();
  const before = process.umask(OTHERS);
  try {
    return work();
  } finally {
    process.umask(before);
  }
}

function isPrivate(path: string): boolean {
  const whole = resolve(path) + sep;
  return [...folders].some(folder => whole.startsWith(folder + sep) && !whole.startsWith(join(folder, EXPORTS) + sep));
}
