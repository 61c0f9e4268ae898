// Where the editor and the browser of the tests are: code-server with a Node of its own in the cache folder's `test-tools`
// (or TUNEWRIGHT_TEST_TOOLS), Chromium from the system. extension/scripts/setUpTestTools.mjs provides them.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from '../../../extension/src/engine/install/paths.js';

export interface TestTools {
  /** Node 24, which code-server needs. */
  node: string;
  /** code-server's program. */
  codeServer: string;
  chromium: string;
}

/** @throws Error that says what to run */
export function testTools(): TestTools {
  const folder = process.env['TUNEWRIGHT_TEST_TOOLS'] ?? join(cacheFolder(), 'test-tools');
  const tools = {
    node: join(folder, 'node_modules/node/bin/node'),
    codeServer: join(folder, 'node_modules/code-server/out/node/entry.js'),
    chromium: process.env['TUNEWRIGHT_CHROMIUM'] ?? '/usr/bin/chromium',
  };
  const missing = Object.values(tools).filter(path => !existsSync(path));
  if (missing.length > 0)
    throw new Error(
      `The tests of the extension need a real VS Code and a browser; missing: ${missing.join(', ')}.\n` +
        'Run: node extension/scripts/setUpTestTools.mjs',
    );
  return tools;
}
