// What is sent to a cluster, and when the user is asked: once for each address, with a list; the token only in the environment.
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { addressOf, Clusters } from '../../../../extension/src/host/clusters/clusters.js';
import { chosenPlace, atChosenPlace } from '../../../../extension/src/host/clusters/choosePlace.js';
import { sentToCluster } from '../../../../extension/src/host/clusters/sentToCluster.js';
import { EngineInputError, UntrustedWorkspaceError } from '../../../../extension/src/host/services.js';

const vscode = vi.hoisted(() => ({ trusted: true, clusters: [] as unknown }));
vi.mock('vscode', () => ({
  CancellationError: class CancellationError extends Error {},
  workspace: {
    get isTrusted() {
      return vscode.trusted;
    },
    getConfiguration: () => ({ get: () => vscode.clusters }),
  },
}));
const { asked, answers, picks, offered } = vi.hoisted(() => ({
  asked: [] as { message: string; detail: string; modal: boolean }[],
  answers: [] as (string | undefined)[],
  picks: [] as (string | undefined)[],
  offered: [] as string[][],
}));
vi.mock('../../../../extension/src/host/window.js', () => ({
  showWarningMessage: async (message: string, options: { modal: boolean; detail: string }) => {
    asked.push({ message, ...options });
    return answers.shift();
  },
  showQuickPick: async (items: { label: string }[]) => {
    offered.push(items.map(({ label }) => label));
    const label = picks.shift();
    return items.find(item => item.label === label);
  },
}));

const LAB = { name: 'lab', address: 'http://lab:8265', num_workers: 4, use_gpu: true, price_per_hour: 3 };
const memory = new Map<string, unknown>();
const secrets = new Map<string, string>();
const clusters = new Clusters({
  globalState: {
    get: (key: string) => memory.get(key),
    update: async (key: string, value: unknown) => void memory.set(key, value),
  },
  secrets: {
    get: async (key: string) => secrets.get(key),
    store: async (key: string, value: string) => void secrets.set(key, value),
    delete: async (key: string) => void secrets.delete(key),
  },
} as never);

const RUN = {
  model: '/models/base',
  dataset: { train: '/data/rows.jsonl', validation: '/data/held.jsonl' },
  samples: { prompts: ['Hi'] },
  engine: { backend: 'ray', address: 'http://lab:8265/' },
};
const LOCAL = { ...RUN, engine: { backend: 'tensorflow', address: 'http://lab:8265' } };

beforeEach(() => {
  for (const list of [asked, answers, picks, offered]) list.length = 0;
  memory.clear();
  secrets.clear();
  vscode.trusted = true;
  vscode.clusters = [LAB, { name: 'no address' }, 7];
});

test('what the setting has wrong is left out', () => {
  expect(clusters.named().map(({ name }) => name)).toEqual(['lab']);
  vscode.clusters = 'lab';
  expect(clusters.named()).toEqual([]);
});

describe('sending', () => {
  test('asks once for an address, with all that leaves the machine', async () => {
    answers.push('Send');
    expect((await clusters.sending(RUN)).flags).toEqual(['--yes']);
    expect(asked).toHaveLength(1);
    expect(asked[0]!.message).toBe('Send to http://lab:8265/?');
    expect(asked[0]!.modal).toBe(true);
    for (const each of sentToCluster(RUN)) expect(asked[0]!.detail).toContain(each);
    expect(asked[0]!.detail).toContain('the rows of rows.jsonl, as token ids');
    expect(asked[0]!.detail).toContain('the validation rows of held.jsonl');
    expect(asked[0]!.detail).toContain('the base model base');
    expect(asked[0]!.detail).toContain('the prompts of samples');
    await clusters.sending({ ...RUN, engine: { backend: 'ray', address: 'http://lab:8265' } });
    expect(asked, 'the same address').toHaveLength(1);
    answers.push('Send');
    await clusters.sending({ ...RUN, engine: { backend: 'ray', address: 'http://other:8265' } });
    expect(asked, 'another address').toHaveLength(2);
  });

  test('sends nothing without an answer, and asks again', async () => {
    for (const _ of [1, 2]) await expect(clusters.sending(RUN)).rejects.toThrow();
    expect(asked).toHaveLength(2);
    expect(memory.size).toBe(0);
  });

  test('a run on this machine is no question', async () => {
    expect(await clusters.sending(LOCAL)).toEqual({ flags: [], env: {} });
    expect(await clusters.sending(RUN, 'here')).toEqual({ flags: ['--on', 'here'], env: {} });
    expect(asked).toEqual([]);
  });

  test('a resumed run is sent to another cluster by name, and only to one that is known', async () => {
    answers.push('Send');
    const { flags, env } = await clusters.sending(LOCAL, 'lab');
    expect(flags).toEqual(['--on', 'lab', '--yes']);
    expect(JSON.parse(env['TUNEWRIGHT_CLUSTERS']!)).toMatchObject([LAB]);
    await expect(clusters.sending(LOCAL, 'lob')).rejects.toThrow(EngineInputError);
  });

  test('in Restricted Mode nothing is asked and nothing sent', async () => {
    vscode.trusted = false;
    await expect(clusters.sending(RUN)).rejects.toThrow(UntrustedWorkspaceError);
    await expect(clusters.following(RUN)).rejects.toThrow(UntrustedWorkspaceError);
    expect(asked).toEqual([]);
  });

  test('following a job asks nobody, and agrees to nothing new', async () => {
    expect((await clusters.following(RUN)).flags).toEqual([]);
    answers.push('Send');
    await clusters.sending(RUN);
    expect((await clusters.following(RUN)).flags).toEqual(['--yes']);
    expect(asked).toHaveLength(1);
  });
});

describe('tokens', () => {
  test('a token is a secret of its address, and only in the environment', async () => {
    await clusters.setToken('http://lab:8265', 'secret-1');
    await clusters.setToken('http://other:8265/', 'secret-2');
    answers.push('Send', 'Send');
    const { flags, env } = await clusters.sending(RUN);
    expect(env['RAY_AUTH_TOKEN']).toBe('secret-1');
    expect(flags.join()).not.toContain('secret');
    expect(JSON.stringify([...memory])).not.toContain('secret');
    expect(env['TUNEWRIGHT_CLUSTERS']).not.toContain('secret');
    const third = { ...RUN, engine: { backend: 'ray', address: 'http://third:8265' } };
    expect((await clusters.sending(third)).env).not.toHaveProperty('RAY_AUTH_TOKEN');
    expect(await clusters.withToken()).toEqual(['http://lab:8265', 'http://other:8265']);
    await clusters.clearToken('http://lab:8265/');
    expect((await clusters.sending(RUN)).env).not.toHaveProperty('RAY_AUTH_TOKEN');
    expect(await clusters.withToken()).toEqual(['http://other:8265']);
  });
});

test('a run has the price of its cluster', () => {
  expect(clusters.priceOf(RUN)).toBe(3);
  expect(clusters.priceOf(LOCAL)).toBeNull();
  expect(addressOf(LOCAL)).toBeNull();
});

describe('where to run', () => {
  test('is no question without clusters', async () => {
    vscode.clusters = [];
    expect(await atChosenPlace(RUN, clusters, 'Start')).toBe(RUN);
    expect(await chosenPlace(RUN, clusters, 'Resume')).toBeUndefined();
    expect(offered).toEqual([]);
  });

  test('a new run gets the settings of the cluster, or loses them', async () => {
    picks.push('lab', 'This machine', 'As in its settings', 'This machine');
    const local = { ...LOCAL, engine: { backend: 'tensorflow', base_weights: 'int8', threads: 2 } };
    expect((await atChosenPlace(local, clusters, 'Start')) as object).toMatchObject({
      engine: { backend: 'ray', address: LAB.address, num_workers: 4, use_gpu: true },
    });
    expect(await atChosenPlace(local, clusters, 'Start')).toBe(local);
    expect(await atChosenPlace(RUN, clusters, 'Start')).toBe(RUN);
    expect(await atChosenPlace(RUN, clusters, 'Start')).toMatchObject({ engine: {} });
    expect(offered[0]).toEqual(['This machine', 'lab']);
    expect(offered[2]).toEqual(['As in its settings', 'This machine', 'lab']);
  });

  test('a resumed run can be moved, and nothing happens without an answer', async () => {
    picks.push('lab', 'This machine', 'As in its settings', undefined);
    expect(await chosenPlace(LOCAL, clusters, 'Resume')).toBe('lab');
    expect(await chosenPlace(RUN, clusters, 'Resume')).toBe('here');
    expect(await chosenPlace(RUN, clusters, 'Resume')).toBeUndefined();
    await expect(chosenPlace(RUN, clusters, 'Resume')).rejects.toThrow();
  });
});
