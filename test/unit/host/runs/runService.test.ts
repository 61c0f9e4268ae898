// Many run folders are listed some at a time, so that the host does other work in between.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { FolderRunService } from '../../../../extension/src/host/runs/runService.js';

const vscode = vi.hoisted(() => ({
  home: '',
  nothing: { dispose: () => {} },
}));
vi.mock('vscode', async () => {
  const { EventEmitter } = await import('node:events');
  const never = () => vscode.nothing;
  return {
    EventEmitter: class {
      private readonly emitter = new EventEmitter();
      readonly event = (listener: () => void) => {
        this.emitter.on('fired', listener);
        return vscode.nothing;
      };
      fire = () => this.emitter.emit('fired');
      dispose = () => this.emitter.removeAllListeners();
    },
    Uri: { file: (path: string) => path },
    RelativePattern: Object,
    workspace: {
      isTrusted: true,
      get workspaceFolders() {
        return [{ uri: { fsPath: vscode.home } }];
      },
      getConfiguration: () => ({ get: (_: string, absent: unknown) => absent }),
      createFileSystemWatcher: () => ({ onDidCreate: never, onDidChange: never, onDidDelete: never, dispose: never }),
      onDidChangeWorkspaceFolders: never,
      onDidGrantWorkspaceTrust: never,
      onDidChangeConfiguration: never,
    },
  };
});

const RUNS = 45;
const folderOf = (i: number) => join(vscode.home, 'runs', `run-${i}`);
let service: FolderRunService;

beforeEach(() => {
  vscode.home = mkdtempSync(join(tmpdir(), 'tunewright-runs-'));
  for (let i = 0; i < RUNS; i++) {
    mkdirSync(folderOf(i), { recursive: true });
    writeFileSync(join(folderOf(i), 'run.json'), `{"name":"run ${i}"}`);
  }
  service = new FolderRunService({} as never, {} as never, { info: () => {} } as never, {} as never);
});
afterEach(() => {
  service.dispose();
  rmSync(vscode.home, { recursive: true, force: true });
});

test('some folders are listed at once, the others in the next turns, told once', async () => {
  const listed: number[] = [];
  let changes = 0;
  service.onDidChange(() => void changes++);
  listed.push(service.runs().length);
  while (listed.at(-1)! < RUNS) {
    await new Promise(resolve => setImmediate(resolve));
    listed.push(service.runs().length);
  }
  const perTurn = listed.map((runs, i) => runs - (listed[i - 1] ?? 0));
  expect(Math.max(...perTurn)).toBeLessThanOrEqual(10);
  expect(changes).toBe(1);
  expect(new Set(service.runs().map(({ name }) => name)).size).toBe(RUNS);
});

test('a run that was opened before its turn stays the same', async () => {
  const opened = [0, RUNS - 1].map(i => service.openFolder(folderOf(i)));
  await vi.waitUntil(() => service.runs().length === RUNS);
  expect(service.get(folderOf(0))).toBe(opened[0]);
  expect(service.get(folderOf(RUNS - 1))).toBe(opened[1]);
});

test('nothing is listed after the end', async () => {
  service.dispose();
  const before = service.runs().length;
  await new Promise(resolve => setImmediate(resolve));
  expect(service.runs().length).toBe(before);
});
