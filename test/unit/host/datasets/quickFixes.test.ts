// Quick fixes for thousands of rows: what they change is worked out when one is chosen, in more than one turn of the host.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { registerQuickFixes } from '../../../../extension/src/host/datasets/quickFixes.js';

interface Action {
  title: string;
  isPreferred?: boolean;
  edit?: { replaced: [number, number, string][] };
}
interface Provider {
  provideCodeActions(document: unknown, range: unknown, context: { diagnostics: unknown[] }): Action[];
  resolveCodeAction(action: Action): Promise<Action>;
}
const registered = vi.hoisted(() => ({ provider: null as unknown }));
vi.mock('vscode', () => ({
  CodeActionKind: { QuickFix: 'quickfix' },
  DiagnosticSeverity: {},
  CodeAction: class {
    constructor(readonly title: string) {}
  },
  Range: class {
    constructor(
      readonly start: number,
      readonly end: number,
    ) {}
  },
  WorkspaceEdit: class {
    readonly replaced: unknown[] = [];
    replace = (_uri: unknown, { start, end }: { start: number; end: number }, text: string) =>
      this.replaced.push([start, end, text]);
  },
  languages: { registerCodeActionsProvider: (_: unknown, provider: unknown) => (registered.provider = provider) },
}));

const ROWS = 10_000;
const SELECTED = 1000;
/** As Python prints it; a position is an offset here. */
const rowText = (i: number) => `{'prompt': 'Say ${i}', 'completion': 'yes'}`;
const uri = { scheme: 'file', path: '/rows.jsonl', fsPath: '/rows.jsonl', toString: () => 'file:///rows.jsonl' };
const rows = Array.from({ length: ROWS }, (_, row) => ({
  ...{ row, line: row + 1, start: row * 100, end: row * 100 + rowText(row).length },
  ...{ tokens: null, labelTokens: null, problems: ['invalid_json'] },
}));
const diagnostics = rows.slice(0, SELECTED).map(({ start }) => ({
  ...{ source: 'Tunewright', code: 'invalid_json', range: { start } },
}));
const dataset = { uri, version: 1, rows, problems: [], summary: { maxLength: 64 }, reading: { runFile: null } };

let read: number;
const document = {
  uri,
  version: 1,
  offsetAt: (offset: number) => offset,
  positionAt: (offset: number) => offset,
  getText({ start }: { start: number }) {
    read++;
    return rowText(start / 100);
  },
};
let provider: Provider;

beforeEach(() => {
  read = 0;
  registerQuickFixes({ get: () => dataset } as never);
  provider = registered.provider as Provider;
});
afterEach(() => {
  document.version = 1;
});

const actionOf = (title: string, actions: Action[]) => actions.find(action => action.title === title)!;

test('fixes are offered without working out what they change, each once', () => {
  const actions = provider.provideCodeActions(document, null, { diagnostics });
  expect(read, 'rows read').toBe(SELECTED);
  expect(actions.every(({ edit }) => edit === undefined)).toBe(true);
  expect(actions.filter(({ title }) => title.startsWith('Remove all')).map(({ title }) => title)).toEqual([
    'Remove all 10,000 invalid rows',
  ]);
  expect(actions.filter(({ title }) => title.startsWith('Repair the JSON of all')).length).toBe(1);
});

test('10,000 rows are repaired, with other work in between', async () => {
  const actions = provider.provideCodeActions(document, null, { diagnostics: diagnostics.slice(0, 1) });
  expect(actions[0]!.isPreferred).toBe(true);
  const all = actionOf('Repair the JSON of all such rows', actions);
  let turns = 0;
  const count = () => {
    turns++;
    counting = setImmediate(count);
  };
  let counting = setImmediate(count);
  await provider.resolveCodeAction(all);
  clearImmediate(counting);
  expect(all.edit!.replaced.length).toBe(ROWS);
  expect(all.edit!.replaced[7]).toEqual([700, 700 + rowText(7).length, '{"prompt":"Say 7","completion":"yes"}']);
  expect(turns).toBeGreaterThanOrEqual(ROWS / 250 - 1);
});

test('all are removed by one edit, and one row by its own', async () => {
  const actions = provider.provideCodeActions(document, null, { diagnostics: diagnostics.slice(0, 1) });
  const all = await provider.resolveCodeAction(actionOf('Remove all 10,000 invalid rows', actions));
  expect(all.edit!.replaced).toEqual([[0, rows.at(-1)!.end, '']]);
  const one = await provider.resolveCodeAction(actionOf('Delete this row', actions));
  expect(one.edit!.replaced).toEqual([[0, 100, '']]);
});

test('nothing is changed in a document that was edited meanwhile', async () => {
  const actions = provider.provideCodeActions(document, null, { diagnostics: diagnostics.slice(0, 1) });
  document.version = 2;
  for (const action of actions) expect((await provider.resolveCodeAction(action)).edit).toBeUndefined();
  expect(provider.provideCodeActions(document, null, { diagnostics })).toEqual([]);
});
