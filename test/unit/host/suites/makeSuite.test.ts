// Make an Evaluation from This Dataset: which rows the engine is asked for, and where the suite is proposed.
import { beforeEach, expect, test, vi } from 'vitest';
import { makeSuite } from '../../../../extension/src/host/suites/makeSuite.js';

const fake = vi.hoisted(() => ({
  proposed: [] as string[],
  shown: [] as string[],
  labels: [] as string[],
  pick: 0,
  target: '/data/own.eval.jsonl' as string | undefined,
}));
vi.mock('vscode', () => ({
  Uri: { file: (fsPath: string) => ({ fsPath }) },
  window: {
    showSaveDialog: async ({ defaultUri }: { defaultUri: { fsPath: string } }) => {
      fake.proposed.push(defaultUri.fsPath);
      return fake.target === undefined ? undefined : { fsPath: fake.target };
    },
    showQuickPick: async (items: Promise<{ label: string }[]>) => {
      const all = await items;
      fake.labels = all.map(({ label }) => label);
      return all[fake.pick];
    },
    showTextDocument: async ({ fsPath }: { fsPath: string }) => void fake.shown.push(fsPath),
    setStatusBarMessage: (text: string) => void fake.shown.push(text),
  },
}));

const calls: (readonly string[])[] = [];
const engine = {
  json: async <T>(args: readonly string[]) => {
    calls.push(args);
    return { file: args.at(-1), rows: 4, repeated: 1, unanswered: 2 } as T;
  },
};
const make = (dataset: string, runs: object[] = []) => makeSuite(dataset, engine, { runs: () => runs as never });
const run = { folder: '/runs/one', name: 'one', startedMs: 0, config: { dataset: { train: '/data/a.jsonl.gz' } } };

beforeEach(() => {
  calls.length = 0;
  Object.assign(fake, { proposed: [], shown: [], labels: [], pick: 0, target: '/data/own.eval.jsonl' });
});

test('of a dataset without runs, the rows that one would hold out', async () => {
  await make('/data/my.rows.csv', [run]);
  expect([fake.proposed, fake.labels]).toEqual([['/data/my.rows.eval.jsonl'], []]);
  expect(calls).toEqual([['suite', '--dataset', '/data/my.rows.csv', '--force', '--out', '/data/own.eval.jsonl']]);
  expect(fake.shown).toEqual(['$(beaker) 4 rows, 3 left out', '/data/own.eval.jsonl']);
});

test('of one that was trained on, those that the run held out, or those of other runs', async () => {
  await make('/data/a.jsonl.gz', [run]);
  fake.pick = 1;
  await make('/data/a.jsonl.gz', [run]);
  expect(fake.labels).toEqual(['$(extensions) one', '$(database) A tenth of the dataset']);
  expect(fake.proposed[0]).toBe('/data/a.eval.jsonl');
  expect(calls.map(args => args.slice(1, 3))).toEqual([
    ['--run', '/runs/one'],
    ['--dataset', '/data/a.jsonl.gz'],
  ]);
});

test('a dialog that is closed makes nothing', async () => {
  fake.pick = 2;
  await make('/data/a.jsonl.gz', [run]);
  expect(fake.proposed).toEqual([]);
  fake.target = undefined;
  await make('/data/b.jsonl');
  expect(calls).toEqual([]);
});
