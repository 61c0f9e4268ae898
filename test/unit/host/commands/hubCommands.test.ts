// Push and eject from the editor: what the engine is asked, and where the access token is: asked for once, kept as a secret, given in the
// environment of the push only, forgotten when the hub refuses it.
import { beforeEach, expect, test, vi } from 'vitest';
import type { EngineCallOptions } from '../../../../extension/src/host/services.js';
import { EngineInputError } from '../../../../extension/src/host/services.js';
import { registerHubCommands } from '../../../../extension/src/host/commands/hubCommands.js';

const { acts, inputs, picks, dialogs, opened } = vi.hoisted(() => ({
  acts: new Map<string, (argument: unknown) => Promise<void>>(),
  /** Answers of input boxes, in order. */
  inputs: [] as (string | undefined)[],
  /** Labels to choose, in order. */
  picks: [] as (string | undefined)[],
  dialogs: { save: undefined as { fsPath: string } | undefined },
  opened: [] as unknown[],
}));
vi.mock('vscode', () => ({
  Disposable: { from: () => ({}) },
  ProgressLocation: { Notification: 15 },
  Uri: { parse: (text: string) => text },
  env: { openExternal: async (uri: unknown) => void opened.push(uri) },
  workspace: { workspaceFolders: undefined },
  window: {
    showSaveDialog: async () => dialogs.save,
    showTextDocument: async (uri: unknown) => void opened.push(uri),
  },
}));
vi.mock('../../../../extension/src/host/commands/guarded.js', () => ({
  registerGuarded: (_output: unknown, id: string, act: never) => void acts.set(id, act),
}));
vi.mock('../../../../extension/src/host/commands/pickRun.js', () => ({
  pickRun: async (_runs: unknown, argument: unknown) => argument,
}));
vi.mock('../../../../extension/src/host/runs/runResult.js', () => ({
  resultOf: (run: { folder: string }) => `${run.folder}/adapter`,
  isWholeModel: () => false,
}));
vi.mock('../../../../extension/src/host/window.js', () => ({
  showInputBox: async () => inputs.shift(),
  showQuickPick: async (items: { label: string }[]) => {
    const label = picks.shift();
    return items.find(item => item.label === label);
  },
  showInformationMessage: async (_message: string, button: string) => button,
  cancellable: async (_title: string, work: (token: string) => unknown) => work('token'),
}));

const TOKEN = 'hf_secret';
const calls: { args: string; env: EngineCallOptions['env'] }[] = [];
const kept = new Map<string, string>();
let hasToken = false;
let refusal: Error | null = null;
const engine = {
  json: async (args: readonly string[], { env }: EngineCallOptions = {}) => {
    calls.push({ args: args.join(' '), env });
    if (args.includes('--dry-run')) return { needs: [{ what: 'a token', met: hasToken, hint: null }] };
    if (refusal) throw refusal;
    return { place: 'https://hub/me/pirate' };
  },
};
const secrets = {
  get: async (key: string) => kept.get(key),
  store: async (key: string, value: string) => void kept.set(key, value),
  delete: async (key: string) => void kept.delete(key),
};
const methods = { usesOf: () => ({ mergeable: true }) };
registerHubCommands({ engine, context: { secrets } } as never, {} as never, methods as never);

const run = { name: 'pirate', folder: '/runs/pirate', config: { method: { peft_type: 'LORA' } } };
const push = () => acts.get('tunewright.pushToHub')!(run);

beforeEach(() => {
  for (const list of [calls, inputs, picks, opened]) list.length = 0;
  kept.clear();
  hasToken = false;
  refusal = null;
});

test('asks for the token once, and gives it in the environment of the push only', async () => {
  picks.push('Adapter', 'Private');
  inputs.push('me/pirate', ` ${TOKEN} `);
  await push();
  const pushed = 'push /runs/pirate/adapter --repo me/pirate --content adapter';
  expect(calls).toEqual([
    { args: `${pushed} --dry-run`, env: undefined },
    { args: pushed, env: { HF_TOKEN: TOKEN } },
  ]);
  expect([...kept.values()]).toEqual([TOKEN]);
  expect(opened).toEqual(['https://hub/me/pirate']);
  calls.length = 0;
  picks.push('Merged Model as GGUF', 'Public');
  inputs.push('');
  await push();
  expect(calls).toEqual([{ args: 'push /runs/pirate/adapter --public --content gguf', env: { HF_TOKEN: TOKEN } }]);
});

test('asks for none where the machine has one', async () => {
  hasToken = true;
  picks.push('Adapter', 'Private');
  inputs.push('me/pirate');
  await push();
  expect(calls.at(-1)!.env).toEqual({});
  expect(kept.size).toBe(0);
});

test('a token that the hub refuses is forgotten, another failure keeps it', async () => {
  kept.set('tunewright.hubToken', TOKEN);
  for (const [key, left] of [
    ['--repo', 1],
    ['HF_TOKEN', 0],
  ] as const) {
    refusal = new EngineInputError({ code: 'bad_input', message: 'no', key });
    picks.push('Adapter', 'Private');
    inputs.push('me/pirate');
    await expect(push()).rejects.toBe(refusal);
    expect(kept.size).toBe(left);
  }
});

test('nothing is sent if one of the questions is cancelled', async () => {
  const answers = [
    { picks: [undefined], inputs: [] },
    { picks: ['Adapter'], inputs: [undefined] },
    { picks: ['Adapter', undefined], inputs: ['me/pirate'] },
    { picks: ['Adapter', 'Private'], inputs: ['me/pirate', undefined] },
  ];
  for (const answer of answers) {
    picks.push(...answer.picks);
    inputs.push(...answer.inputs);
    await push();
  }
  expect(calls.filter(({ args }) => !args.includes('--dry-run'))).toEqual([]);
  expect(kept.size).toBe(0);
});

test('ejects into the chosen file and opens it', async () => {
  dialogs.save = { fsPath: '/none/program.py' };
  await acts.get('tunewright.ejectRun')!(run);
  expect(calls).toEqual([{ args: 'eject /runs/pirate/run.json --out /none/program.py', env: undefined }]);
  expect(opened).toEqual([dialogs.save]);
});
