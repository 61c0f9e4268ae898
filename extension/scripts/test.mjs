// `npm test`: sets up, checks formatting, layers and types, then runs all tests. Arguments are passed to vitest, to run only some
// tests; then no editor is installed. With --all (`npm run test:all`), matrices are tested as a whole: test/support/matrix.ts.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { root, run, setUpEngine, setUpPackages } from './setUp.mjs';

const focus = process.argv.slice(2).filter(each => each !== '--all');
if (process.argv.includes('--all')) process.env.TUNEWRIGHT_TEST_ALL = '1';
setUpPackages();
// In parallel to the rest, since it takes minutes if nothing is installed yet.
const testTools = focus.length === 0 ? setUpTestTools() : null;
setUpEngine();
const node = (script, ...args) => run(process.execPath, [join(root, 'node_modules', script), ...args]);
node('prettier/bin/prettier.cjs', '--check', '--log-level=warn', '.');
node('oxlint/bin/oxlint', '--deny-warnings');
for (const project of ['.', 'webview', 'test/e2e', 'test/integration/host/suite'])
  node('typescript/bin/tsc', '-p', project);
// If this fails, the tests that need an editor fail and say what is missing.
await testTools;
node('vitest/vitest.mjs', 'run', ...focus);

function setUpTestTools() {
  const child = spawn(process.execPath, [join(root, 'extension/scripts/setUpTestTools.mjs')], { stdio: 'inherit' });
  process.on('exit', () => child.kill());
  return new Promise(resolve => child.on('exit', resolve));
}
