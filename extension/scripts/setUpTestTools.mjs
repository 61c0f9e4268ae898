// Installs the editor and the browser for tests of the extension and `npm run workbench`: code-server with its own Node from npm
// (1 GB, 3 minutes) into test-tools of the cache folder, Chromium from the system's packages. `npm test` runs it in a separate
// process, in parallel to the other preparations.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { codeServerFolder, systemChromium, testToolsFolder } from './testTools.mjs';

const NODE = 'node@24';
const CODE_SERVER = '4.139.1';
const BROWSER_PACKAGES = ['chromium', 'fonts-dejavu-core', 'fonts-liberation'];
/** Chromium's package has a Vulkan driver that computes on the CPU, for tests of WebGPU; the loader isn't one of its dependencies. */
const GPU_PACKAGES = ['libvulkan1'];
/** Required to build code-server's packages. */
const BUILD_PACKAGES = ['libkrb5-dev', 'libsecret-1-dev', 'libx11-dev', 'libxkbfile-dev', 'pkg-config'];

/** Installs code-server completely or not at all. @throws Error saying what failed */
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
    // Another process may have installed it in the meantime.
    if (isInstalled()) return;
    rmSync(codeServerFolder(), { recursive: true, force: true });
    renameSync(join(folder, 'node_modules'), codeServerFolder());
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The environment without the variables of `npm test`, from which another npm would take this project's folder, settings and Node. */
function ownEnvironment() {
  const ofThisProject = /^npm_(config_(local_prefix|ignore_scripts|allow_scripts|user_agent)$|package_|lifecycle_)/;
  const others = Object.entries(process.env).filter(([name]) => !ofThisProject.test(name));
  return { ...Object.fromEntries(others), npm_config_ignore_scripts: 'false' };
}

function isInstalled() {
  const manifest = join(codeServerFolder(), 'code-server/package.json');
  return existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).version === CODE_SERVER;
}

/** @throws Error saying what is missing, and how to install it */
export function setUpBrowser() {
  installDebianPackages(GPU_PACKAGES);
  if (existsSync(systemChromium())) return;
  if (process.env.TUNEWRIGHT_CHROMIUM || !installDebianPackages(BROWSER_PACKAGES))
    throw new Error(`Chromium is missing at ${systemChromium()}: install it, or set TUNEWRIGHT_CHROMIUM to its path`);
}

/** @returns false if packages can't be installed: not on Debian, or not as root */
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
  if (status !== 0) throw new Error(`${command} ${args[0]} exited with code ${status}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  try {
    setUpBrowser();
    setUpCodeServer();
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
