#!/usr/bin/env node
// The command `tunewright`. In a checkout it rebuilds dist/ if a source is newer; the package contains only dist/.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';

const bundle = fileURLToPath(new URL('../../dist/tunewright.mjs', import.meta.url));
const sources = fileURLToPath(new URL('../src', import.meta.url));

if (existsSync(sources)) {
  const latest = readdirSync(sources, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .reduce((time, entry) => Math.max(time, statSync(`${entry.parentPath ?? entry.path}/${entry.name}`).mtimeMs), 0);
  if (!existsSync(bundle) || statSync(bundle).mtimeMs < latest) {
    const { buildEngine } = await import('../scripts/build.mjs');
    await buildEngine();
  }
}
await import(pathToFileURL(bundle).href);
