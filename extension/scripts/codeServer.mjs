// A real VS Code workbench (code-server) on loopback with its own folders: it reads no settings of the user, and makes no requests
// to the network. Started, and stopped, by `npm run workbench` and by tests.
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, openSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { codeServerProgram } from './testTools.mjs';

const QUIET = {
  'telemetry.telemetryLevel': 'off',
  'update.mode': 'none',
  'extensions.autoCheckUpdates': false,
  'extensions.autoUpdate': false,
  'extensions.ignoreRecommendations': true,
  'workbench.startupEditor': 'none',
  'workbench.tips.enabled': false,
  'workbench.enableExperiments': false,
  'chat.disableAIFeatures': true,
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'git.enabled': false,
  'npm.autoDetect': 'off',
  'files.autoSave': 'off',
  'workbench.colorTheme': 'Default Dark Modern',
};

const START_MS = 60_000;
const STOP_MS = 5_000;

/** Variables that it must not inherit: of another editor, a test runner, a server. */
const NOT_INHERITED = /^(VSCODE_|VITEST|NODE_OPTIONS$|NODE_ENV$|PORT$|PASSWORD$|npm_)/;

export async function startCodeServer({ folder, vsix, workspaceTrust, testDriver, settings, env: more, port }) {
  const { node, entry } = codeServerProgram();
  const inside = name => join(folder, name);
  for (const name of ['user/User', 'extensions']) mkdirSync(inside(name), { recursive: true });
  writeFileSync(inside('user/User/settings.json'), JSON.stringify({ ...QUIET, ...settings }, null, 2));
  writeFileSync(inside('config.yaml'), 'auth: none\n');
  const env = {
    ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !NOT_INHERITED.test(name))),
    XDG_CONFIG_HOME: inside('xdg-config'),
    XDG_DATA_HOME: inside('xdg-data'),
    XDG_RUNTIME_DIR: folder,
    EXTENSIONS_GALLERY: JSON.stringify({ serviceUrl: '' }),
    ...more,
  };
  const common = ['--config', 'config.yaml', '--user-data-dir', 'user', '--extensions-dir', 'extensions'].map(word =>
    word.startsWith('--') ? word : inside(word),
  );
  if (vsix) execFileSync(node, [entry, ...common, '--install-extension', vsix, '--force'], { env, stdio: 'pipe' });

  const listening = port ?? (await freePort());
  const logFile = inside('server.log');
  const log = openSync(logFile, 'w');
  const server = spawn(
    node,
    [
      entry,
      ...common,
      ...['--auth', 'none', '--bind-addr', `127.0.0.1:${listening}`, '--disable-telemetry', '--disable-update-check'],
      ...['--disable-getting-started-override', '--ignore-last-opened', '--disable-proxy'],
      ...(testDriver ? ['--vscode-option', 'enable-smoke-test-driver'] : []),
      ...(workspaceTrust ? [] : ['--disable-workspace-trust']),
    ],
    { env, stdio: ['ignore', log, log], detached: true },
  );
  const url = `http://127.0.0.1:${listening}`;
  const stop = () =>
    new Promise(resolve => {
      if (server.exitCode !== null) return resolve();
      server.once('exit', () => resolve());
      process.kill(-server.pid, 'SIGTERM');
      setTimeout(() => server.exitCode === null && process.kill(-server.pid, 'SIGKILL'), STOP_MS).unref();
    });
  try {
    await answering(`${url}/healthz`, logFile);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, authority: `vscode-remote://127.0.0.1:${listening}`, logFile, stop };
}

async function answering(address, logFile) {
  for (const end = Date.now() + START_MS; Date.now() < end; await new Promise(resolve => setTimeout(resolve, 100))) {
    try {
      if ((await fetch(address)).ok) return;
    } catch {
      // Not started yet.
    }
  }
  throw new Error(`code-server did not respond within ${START_MS / 1000} s; see ${logFile}`);
}

function freePort() {
  return new Promise(resolve => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
