// Files that come with the program, below its package.json.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readBytes } from '../../system/regularFile.js';
import { readJsonObject } from './jsonFile.js';

/** The folder of package.json, which is above both the bundle and the sources. */
export function packageRoot(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const file = join(folder, 'package.json');
    if (readJsonObject(file)?.name === 'tunewright') return folder;
    if (folder === dirname(folder)) throw new Error('the package.json of this program is missing');
  }
}

export function packageFile(...path: string[]): Buffer {
  const content = readBytes(join(packageRoot(), ...path));
  if (content === null) throw new Error(`${path.join('/')} of this program is missing`);
  return content;
}
