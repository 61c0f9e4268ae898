// Provides the editor and the browser that the extension is tested in, and that `npm run workbench` shows: code-server with a
// Node of its own from npm (1 GB, 3 minutes) into the cache folder's test-tools, Chromium from the system's packages.
// `npm test` runs it as a process of its own, beside the other preparations.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { codeServerFolder, systemChromium, testToolsFolder } from './testTools.mjs';

const NODE = 'node@24';
const CODE_SERVER = '4.139.1';
const BROWSER_PACKAGES = ['chromium', 'fonts-dejavu-core', 'fonts-liberation'];
/** What code-server's own packages are built with. */
const BUILD_PACKAGES = ['libkrb5-dev', 'libsecret-1-dev', 'libx11-dev', 'libxkbfile-dev', 'pkg-config'];

/** Installed as a whole or not at all. @throws Error with what couldn't be had */
export function setUpCodeServer() {
  if (isInstalled()) return;
  console.log(`Installing code-server ${CODE_SERVER} into ${testToolsFolder()} (about 3 minutes)`);
  installDebianPackages(BUILD_PACKAGES);
  mkdirSync(testToolsFolder(), { recursive: true });
  const folder = mkdtempSync(join(testToolsFolder(), 'installing-'));
  try {
    writeFileSync(join(folder, 'package.json'), '{"private":true}\n');
    const npm = (name, path) =>
      run('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', name], {
        cwd: folder,
        env: { ...ownEnvironment(), PATH: path },
      });
    npm(NODE, process.env.PATH);
    npm(`code-server@${CODE_SERVER}`, `${join(folder, 'node_modules/node/bin')}${delimiter}${process.env.PATH}`);
    // Unless somebody else installed the same meanwhile.
    if (isInstalled()) return;
    rmSync(codeServerFolder(), { recursive: true, force: true });
    renameSync(join(folder, 'node_modules'), codeServerFolder());
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Without what `npm test` tells its children: another npm would take this project's folder, its rules and its Node for its own. */
function ownEnvironment() {
  const ofThisProject = /^npm_(config_(local_prefix|ignore_scripts|allow_scripts|user_agent)$|package_|lifecycle_)/;
  const others = Object.entries(process.env).filter(([name]) => !ofThisProject.test(name));
  return { ...Object.fromEntries(others), npm_config_ignore_scripts: 'false' };
}

function isInstalled() {
  const manifest = join(codeServerFolder(), 'code-server/package.json');
  return existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).version === CODE_SERVER;
}

/** @throws Error with what couldn't be had, and how to get it */
export function setUpBrowser() {
  if (existsSync(systemChromium())) return;
  if (process.env.TUNEWRIGHT_CHROMIUM || !installDebianPackages(BROWSER_PACKAGES))
    throw new Error(`there is no Chromium at ${systemChromium()}: install it, or name one by TUNEWRIGHT_CHROMIUM`);
}

/** False where packages are not ours to install: no Debian, or not its root. */
function installDebianPackages(names) {
  if (process.platform !== 'linux' || process.getuid() !== 0 || !existsSync('/usr/bin/apt-get')) return false;
  const isMissing = name => {
    const { stdout } = spawnSync('dpkg-query', ['-W', '-f=${Status}', name], { encoding: 'utf8' });
    return !stdout?.endsWith(' installed');
  };
  const missing = names.filter(isMissing);
  if (missing.length === 0) return true;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  run('apt-get', ['update', '-qq'], { env });
  run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing], { env });
  return true;
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

if (process.argv[1] === fileURLToPath(import.meta.url))
  try {
    setUpBrowser();
    setUpCodeServer();
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
