// Recognises a rewritten adapter without reading it.
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Changes when a file of the folder is written, replaced, added or removed; '' if the folder can't be read. */
export function adapterContent(folder: string): string {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter(entry => entry.isFile())
      .map(({ name }) => {
        const { ino, size, mtimeNs } = statSync(join(folder, name), { bigint: true });
        return [name, ino, size, mtimeNs].join(':');
      })
      .toSorted()
      .join('\n');
  } catch {
    return '';
  }
}
