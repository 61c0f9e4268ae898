// The version of this engine, from package.json, and the hash by which caches know it.
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { readBytes } from '../../system/regularFile.js';

/** package.json is one folder above the bundle in dist/, and four above this source file. */
function readVersion(): string {
  const require = createRequire(import.meta.url);
  for (const path of ['../package.json', '../../../../package.json'])
    try {
      const { name, version } = require(path) as { name: string; version: string };
      if (name === 'tunewright') return version;
    } catch {
      // Try the other one.
    }
  return 'unknown';
}

export const engineVersion = readVersion();

/** The version and a hash of the bundle: while the engine is developed, the version stays the same. */
export function engineIdentity(): string {
  const bundle = readBytes(fileURLToPath(import.meta.url))!;
  return `${engineVersion}-${createHash('sha256').update(bundle).digest('hex')}`;
}
