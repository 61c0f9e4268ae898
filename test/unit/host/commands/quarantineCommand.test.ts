// Take Rows Out of Quarantine: which dataset or run is asked, what is offered, and what is taken out.
import { beforeEach, expect, test, vi } from 'vitest';
import { registerQuarantineCommand } from '../../../../extension/src/host/commands/quarantineCommand.js';

const { Uri, picks, told } = vi.hoisted(() => ({
  Uri: class {
    constructor(readonly fsPath: string) {}
  },
  picks: { offered: [] as { label: string; description: string }[], chosen: [] as number[] },
  told: [] as string[],
}));
vi.mock('vscode', () => ({ Uri }));
vi.mock('../../../../extension/src/host/commands/guarded.js', () => ({
  registerGuarded: (_output: unknown, _id: string, act: unknown) => act,
}));
vi.mock('../../../../extension/src/host/commands/pickRun.js', () => ({
  pickRun: async (_runs: unknown, argument: unknown) => argument,
}));
vi.mock('../../../../extension/src/host/window.js', () => ({
  showQuickPick: async (items: { label: string; description: string }[]) => {
    picks.offered = items;
    return picks.chosen.map(i => items[i]);
  },
  tellBriefly: (_icon: string, text: string) => void told.push(text),
}));

const called: string[] = [];
let rows: object[];
beforeEach(() => {
  called.length = told.length = 0;
  rows = [
    { hash: 'sha256:a', line: 3, lines: [4, 9], text: 'Who?\n → Me.' },
    { hash: 'sha256:b', line: 5, lines: [], text: '' },
  ];
});

const engine = {
  json: async (args: readonly string[]) => {
    called.push(args.join(' '));
    return { rows };
  },
};
const take = registerQuarantineCommand(engine as never, {} as never, {} as never) as unknown as (
  argument: unknown,
) => Promise<void>;

test('takes out the rows that are chosen, of a file or of a run', async () => {
  picks.chosen = [0];
  await take(new Uri('/data/a.jsonl.quarantine'));
  expect(picks.offered.map(({ label, description }) => `${label}: ${description}`)).toEqual([
    'Line 4, 9: Who? → Me.',
    'Line 5, edited or removed since: ',
  ]);
  picks.chosen = [0, 1];
  await take({ folder: '/runs/a' });
  expect(called).toEqual([
    'quarantine /data/a.jsonl',
    'quarantine /data/a.jsonl --remove sha256:a',
    'quarantine /runs/a',
    'quarantine /runs/a --remove sha256:a sha256:b',
  ]);
  expect(told).toEqual(['1 row out of quarantine', '2 rows out of quarantine']);
});

test('changes nothing if none is chosen, or there is none', async () => {
  picks.chosen = [];
  await take({ folder: '/runs/a' });
  rows = [];
  await take({ folder: '/runs/a' });
  await take(undefined);
  expect(called).toEqual(['quarantine /runs/a', 'quarantine /runs/a']);
  expect(told).toEqual(['No rows in quarantine']);
});
