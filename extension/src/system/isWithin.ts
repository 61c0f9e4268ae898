import { isAbsolute, relative, sep } from 'node:path';

/** Whether a place is a folder or anywhere within it, by their names: links aren't followed. Both are absolute. */
export function isWithin(place: string, folder: string): boolean {
  const path = relative(folder, place);
  return path !== '..' && !path.startsWith(`..${sep}`) && !isAbsolute(path);
}
