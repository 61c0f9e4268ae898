// The servers of a window with a program that only prints what `tunewright serve` would: the line with its address, an error, its log;
// and the status bar's entry for them.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, expect, test, vi } from 'vitest';
import { CancellationError } from 'vscode';
import { Servers } from '../../../../extension/src/host/serving/servers.js';
import { registerServerStatusBar } from '../../../../extension/src/host/serving/serverStatusBar.js';
import type { Server, Served } from '../../../../extension/src/host/serving/serverProcess.js';
import { EngineFailure, EngineInputError, UntrustedWorkspaceError } from '../../../../extension/src/host/services.js';

const vscode = vi.hoisted(() => ({
  trusted: true,
  port: 0,
  cancel: [] as (() => void)[],
  warnings: [] as string[],
  answer: undefined as string | undefined,
  log: [] as string[],
  logShown: false,
  context: {} as Record<string, unknown>,
  item: { text: '', tooltip: '', visible: false, command: '' },
}));
vi.mock('vscode', () => ({
  CancellationError: class CancellationError extends Error {},
  ProgressLocation: { Notification: 15 },
  StatusBarAlignment: { Left: 1 },
  Disposable: { from: (...all: { dispose(): void }[]) => ({ dispose: () => all.forEach(each => each.dispose()) }) },
  EventEmitter: class {
    private readonly listeners: (() => void)[] = [];
    event = (listener: () => void) => {
      this.listeners.push(listener);
      return { dispose: () => {} };
    };
    fire = () => this.listeners.forEach(each => each());
    dispose = () => {};
  },
  workspace: {
    get isTrusted() {
      return vscode.trusted;
    },
    getConfiguration: () => ({ get: () => vscode.port }),
  },
  commands: { executeCommand: (_: string, key: string, value: unknown) => void (vscode.context[key] = value) },
  window: {
    createStatusBarItem: () =>
      Object.assign(vscode.item, {
        show: () => void (vscode.item.visible = true),
        hide: () => void (vscode.item.visible = false),
        dispose: () => {},
      }),
    createOutputChannel: () => ({
      appendLine: (line: string) => vscode.log.push(line),
      show: () => void (vscode.logShown = true),
      dispose: () => {},
    }),
    withProgress: (_: unknown, task: (progress: object, token: object) => unknown) =>
      task(
        {},
        {
          isCancellationRequested: false,
          onCancellationRequested(this: { isCancellationRequested: boolean }, listener: () => void) {
            vscode.cancel.push(() => {
              this.isCancellationRequested = true;
              listener();
            });
            return { dispose: () => {} };
          },
        },
      ),
    showWarningMessage: async (message: string) => {
      vscode.warnings.push(message);
      return vscode.answer;
    },
  },
}));

const folder = mkdtempSync(join(tmpdir(), 'tunewright-serving-'));
const script = join(folder, 'serve.mjs');
// Its model says what it does.
writeFileSync(
  script,
  `const args = process.argv.slice(2);
const value = name => args[args.indexOf(name) + 1];
console.error('args: ' + JSON.stringify(args));
const model = value('--model');
if (model === 'missing') {
  console.log(JSON.stringify({ type: 'error', code: 'bad_input', message: 'does not exist', file: model }));
  process.exit(2);
}
if (model === 'crash') {
  console.error('out of memory');
  process.exit(134);
}
if (model !== 'slow') {
  const port = value('--port') === '0' ? 40000 + (process.pid % 1000) : value('--port');
  console.log(JSON.stringify({ type: 'listening', url: 'http://127.0.0.1:' + port, models: [model, 'base', 'pirate'] }));
}
if (model === 'short') setTimeout(() => process.exit(1), 50);
setInterval(() => {}, 1000);
`,
);
chmodSync(script, 0o644);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const served = (model: string, adapters: Served['adapters'] = [{ name: 'pirate', path: '/runs/pirate/adapter' }]) => ({
  ...{ model, baseFlags: ['--base-weights', 'int8'], adapters },
});
const output = { info: vi.fn(), error: vi.fn() };
let servers: Servers;
let bar: { dispose(): void };
beforeEach(() => {
  Object.assign(vscode, {
    trusted: true,
    port: 0,
    cancel: [],
    warnings: [],
    answer: undefined,
    log: [],
    logShown: false,
  });
  const program = async () => ({ command: process.execPath, args: [script], env: process.env });
  servers = new Servers(program, output as never);
  bar = registerServerStatusBar(servers);
});
afterEach(async () => {
  const open = servers.list();
  servers.dispose();
  bar.dispose();
  await Promise.all(open.map(({ ended }) => ended));
});
/** Its command line, once it has written it. */
async function argumentsOf(index: number): Promise<string[]> {
  const lines = () => vscode.log.filter(line => line.startsWith('args: '));
  await expect.poll(() => lines().length).toBeGreaterThan(index);
  return JSON.parse(lines()[index]!.slice('args: '.length));
}

test('a server gets the base, its weights, the adapters and the port, and tells its address', async () => {
  vscode.port = 40123;
  const server = await servers.serve(
    served('m', [
      { name: 'a', path: '/x=y' },
      { name: 'b', path: '/z' },
    ]),
  );
  expect(await argumentsOf(0)).toEqual(
    ['serve', '--json', '--model', 'm', '--base-weights', 'int8'].concat(
      ...['--adapter', 'a=/x=y', '--adapter', 'b=/z', '--port', '40123'],
    ),
  );
  expect([server.url, server.address, server.names]).toEqual(['http://127.0.0.1:40123', '127.0.0.1:40123', ['a', 'b']]);
});

test('without adapters, requests name the base', async () => {
  expect((await servers.serve(served('m', []))).names).toEqual(['m']);
});

test('the same adapters are served once; other ones beside them at another port than the setting’s', async () => {
  vscode.port = 40123;
  const first = await servers.serve(served('m'));
  expect(await servers.serve(served('m'))).toBe(first);
  await servers.serve(served('other'));
  expect((await argumentsOf(1)).at(-1)).toBe('0');
  expect(servers.list()).toHaveLength(2);
});

test('the status bar has the address, then the number of servers, then nothing', async () => {
  expect(vscode.item.visible).toBe(false);
  expect(vscode.context['tunewright.servers']).toBe(0);
  const first = await servers.serve(served('m'));
  expect(vscode.item).toMatchObject({ visible: true, text: `$(broadcast) ${first.address}` });
  expect(vscode.item.tooltip).toContain(`pirate at ${first.address}`);
  expect(vscode.item.command).toBe('tunewright.serverActions');
  const second = await servers.serve(served('other'));
  expect(vscode.item.text).toBe('$(broadcast) 2 servers');
  expect(vscode.context['tunewright.servers']).toBe(2);
  for (const server of [first, second]) server.stop();
  expect(await Promise.all([first.ended, second.ended])).toEqual([false, false]);
  await expect.poll(() => vscode.item.visible).toBe(false);
  expect(vscode.context['tunewright.servers']).toBe(0);
  expect(vscode.warnings).toEqual([]);
});

test('what is wrong with the input is said as the program says it, and nothing is listed', async () => {
  const failing = servers.serve(served('missing'));
  await expect(failing).rejects.toThrow(EngineInputError);
  await expect(failing).rejects.toThrow('missing: does not exist');
  expect(servers.list()).toEqual([]);
});

test('a program that ends before it listens is a failure with its last words, which are in the log', async () => {
  const failing = servers.serve(served('crash'));
  await expect(failing).rejects.toThrow(EngineFailure);
  await expect(failing).rejects.toThrow('out of memory');
  expect(vscode.log).toContain('out of memory');
});

test('a start can be cancelled', async () => {
  const starting = servers.serve(served('slow'));
  await argumentsOf(0);
  vscode.cancel.forEach(cancel => cancel());
  await expect(starting).rejects.toThrow(CancellationError);
  expect(servers.list()).toEqual([]);
});

test('a server that ends by itself can be started again', async () => {
  vscode.answer = 'Restart';
  const server = await servers.serve(served('short'));
  expect(await server.ended).toBe(true);
  await expect.poll(() => vscode.warnings.length).toBeGreaterThan(0);
  expect(vscode.warnings[0]).toBe(`The server of pirate at ${server.address} has ended unexpectedly.`);
  vscode.answer = undefined;
  await argumentsOf(1);
});

test('its log can be opened instead', async () => {
  vscode.answer = 'Open Log';
  await (
    await servers.serve(served('short'))
  ).ended;
  await expect.poll(() => vscode.logShown).toBe(true);
  expect(servers.list()).toEqual([]);
});

test('the end of the window ends all of them', async () => {
  const all: Server[] = [await servers.serve(served('m')), await servers.serve(served('other'))];
  servers.dispose();
  expect(await Promise.all(all.map(({ ended }) => ended))).toEqual([false, false]);
});

test('nothing starts in Restricted Mode', async () => {
  vscode.trusted = false;
  await expect(servers.serve(served('m'))).rejects.toThrow(UntrustedWorkspaceError);
  expect(vscode.log).toEqual([]);
});
