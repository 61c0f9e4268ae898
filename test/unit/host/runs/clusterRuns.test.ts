// Runs on clusters through the run service, with a stand-in for the engine that keeps its arguments and environment: nothing is
// installed, the token is in the environment only, and jobs that nothing follows are followed again.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Clusters } from '../../../../extension/src/host/clusters/clusters.js';
import { registerDetachedRuns } from '../../../../extension/src/host/runs/detachedRuns.js';
import { FolderRunService } from '../../../../extension/src/host/runs/runService.js';
import { UntrustedWorkspaceError } from '../../../../extension/src/host/services.js';

const vscode = vi.hoisted(() => ({ home: '', trusted: true, clusters: [] as unknown[] }));
vi.mock('vscode', async () => {
  const { EventEmitter } = await import('node:events');
  const nothing = { dispose: () => {} };
  const never = () => nothing;
  return {
    CancellationError: class CancellationError extends Error {},
    Disposable: { from: (...all: { dispose(): void }[]) => ({ dispose: () => all.forEach(each => each.dispose()) }) },
    EventEmitter: class {
      private readonly emitter = new EventEmitter();
      readonly event = (listener: (value: unknown) => void) => {
        this.emitter.on('fired', listener);
        return nothing;
      };
      fire = (value: unknown) => this.emitter.emit('fired', value);
      dispose = () => this.emitter.removeAllListeners();
    },
    Uri: { file: (path: string) => path },
    RelativePattern: Object,
    workspace: {
      get isTrusted() {
        return vscode.trusted;
      },
      get workspaceFolders() {
        return [{ uri: { fsPath: vscode.home } }];
      },
      getConfiguration: () => ({
        get: (key: string, absent: unknown) => (key === 'clusters' ? vscode.clusters : absent),
      }),
      createFileSystemWatcher: () => ({ onDidCreate: never, onDidChange: never, onDidDelete: never, dispose: never }),
      onDidChangeWorkspaceFolders: never,
      onDidGrantWorkspaceTrust: never,
      onDidChangeConfiguration: never,
    },
  };
});
const { questions, offers } = vi.hoisted(() => ({ questions: [] as string[], offers: [] as string[] }));
vi.mock('../../../../extension/src/host/window.js', () => ({
  showWarningMessage: async (message: string, _options: unknown, button: string) => {
    questions.push(message);
    return button;
  },
  showInformationMessage: async (message: string, button: string) => {
    offers.push(message);
    return button;
  },
  showErrorMessage: async () => undefined,
}));

/** Keeps what it was started with. */
const ENGINE = `
  const { appendFileSync } = require('node:fs');
  const { RAY_AUTH_TOKEN: token, TUNEWRIGHT_CLUSTERS: clusters } = process.env;
  const out = process.argv[process.argv.indexOf('--out') + 1];
  appendFileSync(process.env.CALLS, JSON.stringify({ args: process.argv.slice(2), out, token, clusters }) + '\\n');
`;
interface Call {
  args: string[];
  out: string;
  token?: string;
  clusters?: string;
}

const CLUSTER_RUN = {
  name: 'away',
  model: 'embedded:tiny',
  dataset: { train: '/rows.jsonl' },
  engine: { backend: 'ray', address: 'http://lab:8265' },
};
let services: { dispose(): void }[];
let installed: number;
let secrets: Map<string, string>;
let workspaceState: Map<string, unknown>;
let globalState: Map<string, unknown>;

const memento = (values: Map<string, unknown>) => ({
  get: (key: string) => values.get(key),
  update: async (key: string, value: unknown) => void values.set(key, value),
});

/** What a window starts. */
function openWindow(): FolderRunService {
  const context = {
    globalState: memento(globalState),
    workspaceState: memento(workspaceState),
    secrets: { get: async (key: string) => secrets.get(key) },
  };
  const engine = {
    program: async () => {
      if (!vscode.trusted) throw new UntrustedWorkspaceError('no trust');
      const env = { ...process.env, CALLS: join(vscode.home, 'calls') };
      return { command: process.execPath, args: [join(vscode.home, 'engine.cjs')], env };
    },
    ensureInstalled: async () => {
      installed++;
      return true;
    },
  };
  const output = { info: () => {}, warn: () => {}, error: () => {} };
  const runs = new FolderRunService(context as never, engine as never, output as never, new Clusters(context as never));
  services.push(runs, registerDetachedRuns(runs, context as never, output as never));
  return runs;
}

function calls(): Call[] {
  try {
    const text = readFileSync(join(vscode.home, 'calls'), 'utf8');
    return text
      .trim()
      .split('\n')
      .map(line => JSON.parse(line) as Call);
  } catch {
    return [];
  }
}
const called = async (times: number) => {
  await vi.waitUntil(() => calls().length >= times, { timeout: 20_000 });
  return calls().at(-1)!;
};

/** A run folder whose process has ended, while its job goes on. */
function detachedRun(name: string): string {
  const folder = join(vscode.home, 'runs', name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'run.json'), JSON.stringify({ ...CLUSTER_RUN, name }));
  writeFileSync(join(folder, 'ray.json'), '{"ended":false}');
  return folder;
}

beforeEach(() => {
  vscode.home = mkdtempSync(join(tmpdir(), 'tunewright-away-'));
  writeFileSync(join(vscode.home, 'engine.cjs'), ENGINE);
  vscode.trusted = true;
  vscode.clusters = [{ name: 'other', address: 'http://other:8265' }];
  [services, installed] = [[], 0];
  secrets = new Map([['tunewright.clusterToken:http://lab:8265', 'secret-of-lab']]);
  workspaceState = new Map();
  globalState = new Map();
  questions.length = offers.length = 0;
});
afterEach(() => {
  for (const each of services) each.dispose();
  rmSync(vscode.home, { recursive: true, force: true });
});

test('a run on a cluster installs nothing, and its token is nowhere but in the environment', async () => {
  const run = await openWindow().start(CLUSTER_RUN);
  const { args, token, clusters } = await called(1);
  expect(args).toEqual(['train', join(run.folder, 'run.json'), '--out', run.folder, '--yes']);
  expect(token).toBe('secret-of-lab');
  expect(JSON.parse(clusters!)).toMatchObject([{ name: 'other' }]);
  expect(installed).toBe(0);
  expect(questions).toEqual(['Send to http://lab:8265?']);
  for (const name of readdirSync(run.folder))
    expect(readFileSync(join(run.folder, name), 'utf8'), name).not.toContain('secret-of-lab');
});

test('a run of this machine has no token and no question', async () => {
  await openWindow().start({ ...CLUSTER_RUN, engine: { backend: 'tensorflow' } });
  const { args, token } = await called(1);
  expect(args).not.toContain('--yes');
  expect(token).toBeUndefined();
  expect(installed).toBe(1);
  expect(questions).toEqual([]);
});

test('a resumed run can be moved to another cluster, and back', async () => {
  const runs = openWindow();
  const run = await runs.start(CLUSTER_RUN);
  await called(1);
  await vi.waitUntil(() => !run.alive, { timeout: 20_000 });
  await runs.resume(run, 'other');
  expect(await called(2)).toMatchObject({ args: expect.arrayContaining(['--resume', '--on', 'other', '--yes']) });
  expect(calls()[1], 'another address has another token').not.toHaveProperty('token');
  expect(questions).toEqual(['Send to http://lab:8265?', 'Send to http://other:8265?']);
  await vi.waitUntil(() => !run.alive, { timeout: 20_000 });
  expect(installed).toBe(0);
  await runs.resume(run, 'here');
  const { args } = await called(3);
  expect(args).toEqual(expect.arrayContaining(['--resume', '--on', 'here']));
  expect(args).not.toContain('--yes');
  expect(installed).toBe(1);
});

test('in Restricted Mode nothing is sent or followed', async () => {
  vscode.trusted = false;
  detachedRun('left');
  const runs = openWindow();
  await expect(runs.start(CLUSTER_RUN)).rejects.toThrow(UntrustedWorkspaceError);
  await vi.waitUntil(() => runs.runs().length === 1);
  expect(runs.runs()[0]!.phase).toBe('detached');
  await expect(runs.resume(runs.runs()[0]!)).rejects.toThrow(UntrustedWorkspaceError);
  expect(calls()).toEqual([]);
  expect([...questions, ...offers]).toEqual([]);
});

test('a window follows the jobs of runs that were started from it without a question, and offers to follow others', async () => {
  const own = detachedRun('own');
  detachedRun('of-others');
  globalState.set('clusters.agreed', ['http://lab:8265']);
  workspaceState.set('clusters.startedRuns', [own]);
  openWindow();
  await called(2);
  const followed = calls().map(({ out }) => out.split('/').at(-1)!);
  expect(followed.toSorted()).toEqual(['of-others', 'own']);
  for (const { args, token } of calls()) {
    expect(args).toEqual(expect.arrayContaining(['--resume', '--yes']));
    expect(args).not.toContain('--on');
    expect(token).toBe('secret-of-lab');
  }
  expect(offers).toEqual(['The job of of-others goes on on its cluster, and nothing follows it here.']);
  expect(questions).toEqual([]);
  expect(installed).toBe(0);
});

test('a window remembers which runs it has sent away', async () => {
  const run = await openWindow().start(CLUSTER_RUN);
  expect(workspaceState.get('clusters.startedRuns')).toEqual([run.folder]);
  await called(1);
});
