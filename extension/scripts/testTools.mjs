// Paths of the editor and the browser for tests: code-server with its own Node in test-tools of the user's cache folder (or in
// TUNEWRIGHT_TEST_TOOLS), Chromium of the system (or TUNEWRIGHT_CHROMIUM). setUpTestTools.mjs installs them.
import envPaths from 'env-paths';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';

export function testToolsFolder() {
  const { TUNEWRIGHT_TEST_TOOLS: named, TUNEWRIGHT_CACHE: cache } = process.env;
  if (named) return resolve(named);
  return join(cache ? resolve(cache) : envPaths('tunewright', { suffix: '' }).cache, 'test-tools');
}

/** Its packages; the folder exists once all of them are installed. */
export function codeServerFolder() {
  return join(testToolsFolder(), 'node_modules');
}

export function systemChromium() {
  return process.env.TUNEWRIGHT_CHROMIUM ?? '/usr/bin/chromium';
}

/** Node 24, which code-server needs, and code-server's program. @throws Error saying what to run */
export function codeServerProgram() {
  const folder = codeServerFolder();
  return present({ node: join(folder, 'node/bin/node'), entry: join(folder, 'code-server/out/node/entry.js') });
}

/** @throws Error saying what to run */
export function chromiumPath() {
  return present({ chromium: systemChromium() }).chromium;
}

function present(paths) {
  const missing = Object.values(paths).filter(path => !existsSync(path));
  if (missing.length === 0) return paths;
  throw new Error(
    `Tests of the extension need a real VS Code in a browser; missing: ${missing.join(', ')}.\n` +
      'Run: node extension/scripts/setUpTestTools.mjs',
  );
}
