// The version of this engine, from package.json.
import { createRequire } from 'node:module';

/** package.json stands two folders above dist/ and four above this source file; whichever is there. */
function readVersion(): string {
  const require = createRequire(import.meta.url);
  for (const path of ['../package.json', '../../../../package.json'])
    try {
      const { name, version } = require(path) as { name: string; version: string };
      if (name === 'tunewright') return version;
    } catch {
      // not this one
    }
  return 'unknown';
}

export const engineVersion = readVersion();
