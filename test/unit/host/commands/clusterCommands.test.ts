// The commands for tokens of clusters: which address is meant, and that the token is told to nobody but the secret storage.
import { beforeEach, expect, test, vi } from 'vitest';
import { registerClusterCommands } from '../../../../extension/src/host/commands/clusterCommands.js';

const { acts, inputs, picks, boxes, told } = vi.hoisted(() => ({
  acts: new Map<string, (argument?: unknown) => Promise<void>>(),
  inputs: [] as (string | undefined)[],
  picks: [] as (string | undefined)[],
  boxes: [] as { prompt: string; password?: boolean; validateInput(text: string): string | null }[],
  told: [] as string[],
}));
vi.mock('vscode', () => ({ Disposable: { from: () => ({}) } }));
vi.mock('../../../../extension/src/host/commands/guarded.js', () => ({
  registerGuarded: (_output: unknown, id: string, act: never) => void acts.set(id, act),
}));
vi.mock('../../../../extension/src/host/window.js', () => ({
  showInputBox: async (box: (typeof boxes)[number]) => {
    boxes.push(box);
    return inputs.shift();
  },
  showQuickPick: async (items: { label: string }[]) => {
    const label = picks.shift();
    return items.find(item => item.label === label);
  },
  tellBriefly: (_icon: string, text: string) => void told.push(text),
}));

const tokens = new Map<string, string>();
let known: string[] = [];
registerClusterCommands(
  {
    addresses: () => known,
    withToken: async () => [...tokens.keys()],
    setToken: async (address: string, token: string) => void tokens.set(address, token),
    clearToken: async (address: string) => void tokens.delete(address),
  } as never,
  {} as never,
);
const set = (address?: string) => acts.get('tunewright.setClusterToken')!(address);
const clear = () => acts.get('tunewright.clearClusterToken')!();

beforeEach(() => {
  for (const list of [inputs, picks, boxes, told]) list.length = 0;
  tokens.clear();
  known = [];
});

test('the token of a cluster is typed unseen and told to nobody', async () => {
  known = ['http://lab:8265', 'http://other:8265'];
  picks.push('http://other:8265');
  inputs.push(' secret ');
  await set();
  expect([...tokens]).toEqual([['http://other:8265', 'secret']]);
  expect(boxes).toHaveLength(1);
  expect(boxes[0]!.password).toBe(true);
  expect(boxes[0]!.validateInput('two words')).not.toBeNull();
  expect(told.join()).not.toContain('secret');
});

test('a notification names the address; without clusters it is asked for', async () => {
  inputs.push('secret');
  await set('http://lab:8265');
  inputs.push(' https://new:8265 ', 'other');
  await set();
  expect(boxes[1]!.validateInput('new:8265')).toContain('http://head:8265');
  expect(boxes[1]!.validateInput('http://user:password@new:8265')).not.toBeNull();
  expect([...tokens]).toEqual([
    ['http://lab:8265', 'secret'],
    ['https://new:8265', 'other'],
  ]);
});

test('nothing is kept of a box that was closed', async () => {
  inputs.push(undefined);
  await set('http://lab:8265');
  await set();
  expect(tokens.size).toBe(0);
});

test('a token is cleared', async () => {
  await clear();
  expect(told).toEqual(['No cluster has a token.']);
  tokens.set('http://lab:8265', 'secret');
  picks.push(undefined, 'http://lab:8265');
  await clear();
  expect(tokens.size).toBe(1);
  await clear();
  expect(tokens.size).toBe(0);
});
