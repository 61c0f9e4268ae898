// A real VS Code workbench (code-server) on loopback with folders of its own: nothing of the user's is read, nothing
// leaves the machine. Started by the tests of the extension; whoever starts it stops it.
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, openSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { testTools } from './testTools.js';

export interface CodeServerOptions {
  /** Empty folder for profile, extensions and log. */
  folder: string;
  /** Installed before the start. */
  vsix?: string;
  /** Ask whether the workspace is trusted; otherwise everything is. */
  workspaceTrust?: boolean;
  /** Lets the page run tests inside the extension host. */
  testDriver?: boolean;
  settings?: Record<string, unknown>;
  env?: Record<string, string>;
}

export interface CodeServer {
  url: string;
  /** What a test run's extension paths begin with. */
  authority: string;
  logFile: string;
  stop(): Promise<void>;
}

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

export async function startCodeServer(options: CodeServerOptions): Promise<CodeServer> {
  const { node, codeServer } = testTools();
  const { folder } = options;
  const inside = (name: string) => join(folder, name);
  for (const name of ['user/User', 'extensions']) mkdirSync(inside(name), { recursive: true });
  writeFileSync(inside('user/User/settings.json'), JSON.stringify({ ...QUIET, ...options.settings }));
  writeFileSync(inside('config.yaml'), 'auth: none\n');
  const env = {
    ...Object.fromEntries(
      Object.entries(process.env).filter(
        ([name]) => !/^(VSCODE_|VITEST|NODE_OPTIONS$|NODE_ENV$|PORT$|PASSWORD$)/.test(name),
      ),
    ),
    XDG_CONFIG_HOME: inside('xdg-config'),
    XDG_DATA_HOME: inside('xdg-data'),
    XDG_RUNTIME_DIR: folder,
    EXTENSIONS_GALLERY: JSON.stringify({ serviceUrl: '' }),
    ...options.env,
  };
  const common = [
    '--config',
    inside('config.yaml'),
    '--user-data-dir',
    inside('user'),
    '--extensions-dir',
    inside('extensions'),
  ];
  if (options.vsix)
    execFileSync(node, [codeServer, ...common, '--install-extension', options.vsix, '--force'], { env, stdio: 'pipe' });

  const port = await freePort();
  const logFile = inside('server.log');
  const log = openSync(logFile, 'w');
  const server = spawn(
    node,
    [
      codeServer,
      ...common,
      ...['--auth', 'none', '--bind-addr', `127.0.0.1:${port}`, '--disable-telemetry', '--disable-update-check'],
      ...['--disable-getting-started-override', '--ignore-last-opened', '--disable-proxy'],
      ...(options.testDriver ? ['--vscode-option', 'enable-smoke-test-driver'] : []),
      ...(options.workspaceTrust ? [] : ['--disable-workspace-trust']),
    ],
    { env, stdio: ['ignore', log, log], detached: true },
  );
  const url = `http://127.0.0.1:${port}`;
  const stop = () =>
    new Promise<void>(resolve => {
      if (server.exitCode !== null) return resolve();
      server.once('exit', () => resolve());
      process.kill(-server.pid!, 'SIGTERM');
      setTimeout(() => server.exitCode === null && process.kill(-server.pid!, 'SIGKILL'), STOP_MS).unref();
    });
  try {
    await answering(`${url}/healthz`, logFile);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, authority: `vscode-remote://127.0.0.1:${port}`, logFile, stop };
}

async function answering(address: string, logFile: string): Promise<void> {
  for (const end = Date.now() + START_MS; Date.now() < end; await pause(100)) {
    try {
      if ((await fetch(address)).ok) return;
    } catch {
      // Not there yet.
    }
  }
  throw new Error(`code-server did not answer within ${START_MS / 1000} s; ${logFile} says more`);
}

function freePort(): Promise<number> {
  return new Promise(resolve => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

export function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms));
}
