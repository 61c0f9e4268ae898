// Clean Up and Report a Problem: what the engine is asked, that nothing is deleted or copied before the user says so, and that a report has no
// name, path, row or token of this machine or workspace.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, hostname, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test, vi } from 'vitest';
import { registerMaintenanceCommands } from '../../../../extension/src/host/commands/maintenanceCommands.js';

const { acts, picks, buttons, shown, copied, folder } = vi.hoisted(() => ({
  acts: new Map<string, () => Promise<void>>(),
  /** Labels to choose; undefined: the pick is closed. */
  picks: { next: undefined as string[] | undefined },
  /** Buttons to press, in order. */
  buttons: [] as (string | undefined)[],
  shown: [] as string[],
  copied: [] as string[],
  folder: { path: '' },
}));
vi.mock('vscode', () => ({
  Disposable: { from: () => ({}) },
  ProgressLocation: { Notification: 15, Window: 10 },
  UIKind: { Web: 2 },
  version: '1.100.0',
  env: { uiKind: 1, clipboard: { writeText: async (text: string) => void copied.push(text) } },
  commands: { executeCommand: async () => {} },
  workspace: {
    get workspaceFolders() {
      return [{ name: 'Patients', uri: { fsPath: folder.path } }];
    },
    getConfiguration: () => ({ get: (_key: string, other: unknown) => other }),
    openTextDocument: async ({ content }: { content: string }) => (shown.push(content), { getText: () => content }),
  },
  window: { showTextDocument: async () => {} },
}));
vi.mock('../../../../extension/src/host/commands/guarded.js', () => ({
  registerGuarded: (_output: unknown, id: string, act: never) => void acts.set(id, act),
}));
vi.mock('../../../../extension/src/host/window.js', () => ({
  showQuickPick: async (items: { label: string }[]) =>
    picks.next && items.filter(({ label }) => picks.next!.includes(label)),
  showInformationMessage: async (message: string) => (shown.push(message), buttons.shift()),
  showWarningMessage: async (message: string) => (shown.push(message), buttons.shift()),
  tellBriefly: (_icon: string, text: string) => void shown.push(text),
  withProgress: async (_options: unknown, work: () => unknown) => work(),
}));

folder.path = mkdtempSync(join(tmpdir(), 'maintenance-'));
afterAll(() => rmSync(folder.path, { recursive: true }));
const runs = join(folder.path, 'runs');
const run = join(runs, 'diagnosis-20260101-000000');
mkdirSync(run, { recursive: true });

const ITEMS = [
  { kind: 'engines', path: '/cache/engine/tensorflow-1', bytes: 1e9, about: 'an engine that is no longer used' },
  { kind: 'runs', path: run, bytes: 5e6, about: 'a run with its result' },
];
let items = ITEMS;
let engineFails = false;
const calls: string[] = [];
const engine = {
  json: async (args: readonly string[]) => {
    calls.push(args.join(' '));
    if (args[0] === 'engine' && engineFails) throw new Error(`could not start ${folder.path}/node`);
    if (args[0] === 'engine')
      return {
        installation: { libraryVersion: '2.21.0', gpu: false, source: 'wheel' },
        backend: { name: 'tensorflow', libraryVersion: '2.21.0' },
        machine: { cores: 2, memoryBytes: 8e9, availableMemoryBytes: 4e9 },
      };
    return { items, bytes: items.reduce((sum, item) => sum + item.bytes, 0) };
  },
  forget: () => calls.push('forget'),
};
const failed = {
  folder: run,
  name: 'diagnosis',
  config: {
    model: 'acme/private-model',
    dataset: { train: join(folder.path, 'patients.jsonl') },
    method: { peft_type: 'LORA' },
    engine: { backend: 'wasm' },
  },
  glance: () => ({ status: 'failed', failed: { code: 'bad_input' } }),
  failure: () => ({ message: `${folder.path}/patients.jsonl:3: "Jane Doe" is no message` }),
};
registerMaintenanceCommands(
  engine as never,
  { runs: () => [failed] } as never,
  {} as never,
  { extension: { packageJSON: { version: '0.1.0' } } } as never,
);

beforeEach(() => {
  for (const list of [calls, shown, copied, buttons]) list.length = 0;
  picks.next = undefined;
  items = ITEMS;
  engineFails = false;
});

test('Clean Up deletes what was picked, once it is confirmed', async () => {
  picks.next = ['tensorflow-1'];
  buttons.push('Delete');
  await acts.get('tunewright.cleanUp')!();
  const list = `clean engines caches checkpoints models runs --runs ${runs}`;
  const only = `${list} --only /cache/engine/tensorflow-1`;
  expect(calls).toEqual([`${list} --dry-run`, `${only} --dry-run`, `${only} --yes`, 'forget']);
  expect(shown[0]).toMatch(/^Delete .*can’t be undone/);
});

test.each([
  ['nothing is picked', undefined, 'Delete'],
  ['an empty pick', [], 'Delete'],
  ['it isn’t confirmed', ['tensorflow-1'], undefined],
])('Clean Up deletes nothing if %s', async (_name, picked, button) => {
  picks.next = picked;
  buttons.push(button);
  await acts.get('tunewright.cleanUp')!();
  expect(calls.filter(call => call.includes('--yes'))).toEqual([]);
});

test('Clean Up says so if there is nothing', async () => {
  items = [];
  await acts.get('tunewright.cleanUp')!();
  expect(shown).toEqual(['There is nothing to delete']);
});

test('a report is shown before it is copied, and names nothing of this machine and workspace', async () => {
  const log = [
    'Dear Jane Doe, your diagnosis',
    `error: ${folder.path}/patients.jsonl:3: "Jane Doe" is no message`,
    'warning: acme/private-model and hf_abcdefghijklmnopqrst',
  ];
  writeFileSync(join(run, 'engine.log'), `${log.join('\n')}\n`);
  buttons.push(undefined);
  await acts.get('tunewright.reportProblem')!();
  expect(copied).toEqual([]);
  const [report, message] = shown;
  expect(message).toContain('Nothing is sent');
  for (const line of [
    '- Extension: 0.1.0',
    '- Editor: 1.100.0, on the desktop',
    '- Engine: TensorFlow 2.21.0',
    '- Method: LORA',
  ])
    expect(report).toContain(line);
  expect(report).toContain('- Status: failed (bad_input)');
  expect(report).toContain('(1 other lines left out)');
  const names = ['Jane', 'Patients', 'patients', 'acme', 'private-model', 'hf_abc', 'diagnosis', folder.path];
  for (const name of [...names, homedir(), hostname(), userInfo().username]) expect(report, name).not.toContain(name);

  buttons.push('Copy');
  await acts.get('tunewright.reportProblem')!();
  expect(copied).toEqual([report]);
});

test('a report also works without an engine that answers', async () => {
  engineFails = true;
  await acts.get('tunewright.reportProblem')!();
  expect(shown[0]).toContain('- Engine: does not answer: could not start <');
  expect(shown[0]).not.toContain(folder.path);
});
