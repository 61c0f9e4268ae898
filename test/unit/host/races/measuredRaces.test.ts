// Races of the workspace on a model and a dataset: by the model's name and the content of the training file.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { racesOn } from '../../../../extension/src/host/races/measuredRaces.js';

const found = vi.hoisted(() => ({ files: [] as string[] }));
vi.mock('vscode', () => ({
  workspace: { findFiles: async () => found.files.map(fsPath => ({ fsPath })) },
}));

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'tunewright-races-'));
  found.files = [];
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

function add(name: string, model: string, inputs: unknown): void {
  const folder = join(home, 'races', name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'race.json'), JSON.stringify({ name, run: { model }, vary: [{}] }));
  if (inputs !== null) writeFileSync(join(folder, 'inputs.json'), JSON.stringify(inputs));
  found.files.push(join(folder, 'race.json'));
}
const draft = (model: string) => ({ model, dataset: { train: '/rows.jsonl' } });

it('have the same model, and were trained on a file of the same content', async () => {
  add('same', 'm', { model: 'x', train: 'now', validation: null });
  add('changed', 'm', { model: 'x', train: 'before', validation: null });
  add('other', 'other', { model: 'y', train: 'now', validation: null });
  add('unknown', 'm', null);
  const races = await racesOn(draft('m'), async () => 'now');
  expect(races.map(({ race }) => race!['name'])).toEqual(['same']);
});

it('a file is not read for a model that was never raced, and one that can’t be read has no races', async () => {
  add('same', 'm', { model: 'x', train: 'now', validation: null });
  const hash = vi.fn(async () => null);
  expect(await racesOn(draft('another'), hash)).toEqual([]);
  expect(hash).not.toHaveBeenCalled();
  expect(await racesOn(draft('m'), hash)).toEqual([]);
  expect(await racesOn({}, hash)).toEqual([]);
});
