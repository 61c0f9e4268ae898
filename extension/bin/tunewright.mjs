#!/usr/bin/env node
// The command `tunewright`. In a checkout it rebuilds dist/ when a source is newer; packaged, dist/ is all there is.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';

const bundle = fileURLToPath(new URL('../../dist/tunewright.mjs', import.meta.url));
const sources = fileURLToPath(new URL('../src', import.meta.url));

if (existsSync(sources)) {
  const newest = readdirSync(sources, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .reduce(
      (latest, entry) => Math.max(latest, statSync(`${entry.parentPath ?? entry.path}/${entry.name}`).mtimeMs),
      0,
    );
  if (!existsSync(bundle) || statSync(bundle).mtimeMs < newest) {
    const { buildEngine } = await import('../scripts/build.mjs');
    await buildEngine();
  }
}
await import(pathToFileURL(bundle).href);
