// Provides the editor and the browser that the extension is tested in, and that `npm run workbench` shows: code-server with a
// Node of its own from npm (1 GB, 3 minutes) into the cache folder's test-tools, Chromium from the system's packages.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { testToolsFolder } from './testTools.mjs';

const NODE = 'node@24';
const CODE_SERVER = 'code-server@4.139.1';
/** Chromium, what code-server's own packages are built with, and fonts to draw with. */
const DEBIAN_PACKAGES = [
  ...['chromium', 'fonts-dejavu-core', 'fonts-liberation'],
  ...['libkrb5-dev', 'libsecret-1-dev', 'libx11-dev', 'libxkbfile-dev', 'pkg-config'],
];

/** @throws Error with what couldn't be had, and how to get it */
export function setUpCodeServer() {
  const folder = testToolsFolder();
  const entry = join(folder, 'node_modules/code-server/out/node/entry.js');
  if (existsSync(entry)) return;
  console.log(`Installing ${CODE_SERVER} into ${folder} (about 3 minutes)`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{"private":true}\n');
  const npm = (name, path) =>
    run('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', '--ignore-scripts=false', name], {
      cwd: folder,
      env: { ...process.env, PATH: path },
    });
  npm(NODE, process.env.PATH);
  npm(CODE_SERVER, `${join(folder, 'node_modules/node/bin')}${delimiter}${process.env.PATH}`);
  if (!existsSync(entry)) throw new Error(`code-server is not where it should be: ${entry}`);
}

/** @throws Error with what couldn't be had, and how to get it */
export function setUpBrowser() {
  const named = process.env.TUNEWRIGHT_CHROMIUM ?? '/usr/bin/chromium';
  if (existsSync(named)) return;
  if (process.platform !== 'linux' || process.getuid() !== 0 || !existsSync('/usr/bin/apt-get'))
    throw new Error(`there is no Chromium at ${named}: install it, or name one by TUNEWRIGHT_CHROMIUM`);
  run('apt-get', ['update', '-qq']);
  run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...DEBIAN_PACKAGES]);
}

function run(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, {
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: process.platform === 'win32',
    ...options,
  });
  if (error) throw new Error(`${command}: ${error.message}`);
  if (status !== 0) throw new Error(`${command} ${args[0]} ended with ${status}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  // The packages that code-server is built with come with the browser's.
  setUpBrowser();
  setUpCodeServer();
}
