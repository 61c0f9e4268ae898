// `npm test`: sets up, checks formatting, layers and types, then runs every test. Arguments go to vitest: then only what they ask
// for is run, and no editor is installed for it.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { root, run, setUpEngine, setUpPackages } from './setUp.mjs';

const focus = process.argv.slice(2);
setUpPackages();
// Beside everything else, since it takes minutes where nothing is installed yet.
const testTools = focus.length === 0 ? setUpTestTools() : null;
setUpEngine();
const node = (script, ...args) => run(process.execPath, [join(root, 'node_modules', script), ...args]);
node('prettier/bin/prettier.cjs', '--check', '--log-level=warn', '.');
node('oxlint/bin/oxlint', '--deny-warnings');
for (const project of ['.', 'webview', 'test/e2e']) node('typescript/bin/tsc', '-p', project);
// Where there is no editor the tests that need one fail, each with what is missing.
await testTools;
node('vitest/vitest.mjs', 'run', ...focus);

function setUpTestTools() {
  const child = spawn(process.execPath, [join(root, 'extension/scripts/setUpTestTools.mjs')], { stdio: 'inherit' });
  process.on('exit', () => child.kill());
  return new Promise(resolve => child.on('exit', resolve));
}
