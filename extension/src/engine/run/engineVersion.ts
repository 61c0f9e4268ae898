// The version of this engine, from package.json, and the hash by which caches know it.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

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
  return `${engineVersion}-${createHash('sha256')
    .update(readFileSync(new URL(import.meta.url)))
    .digest('hex')}`;
}
