// Set-up for `npm start` and `npm test`: packages, then the engine. Uses only Node's modules, since a fresh clone has no packages.
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

/** Runs a program in the repository and exits if it fails. */
export function run(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options });
  if (error) console.error(`${command}: ${error.message}`);
  if (status !== 0) process.exit(status ?? 1);
}

export function tunewright(...args) {
  run(process.execPath, [join(root, 'extension/bin/tunewright.mjs'), ...args]);
}

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`Tunewright needs Node 20.19 or newer; this is ${process.versions.node}.`);
  process.exit(2);
}

/** npm writes node_modules/.package-lock.json last, so packages are outdated if package-lock.json is newer. */
function packagesAreCurrent() {
  const installed = join(root, 'node_modules/.package-lock.json');
  return existsSync(installed) && statSync(installed).mtimeMs >= statSync(join(root, 'package-lock.json')).mtimeMs;
}

export function setUpPackages() {
  if (packagesAreCurrent()) return;
  console.log('Installing packages');
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { shell: process.platform === 'win32' });
}

export function setUpEngine() {
  tunewright('engine', 'install');
}

export function setUp() {
  setUpPackages();
  setUpEngine();
}
