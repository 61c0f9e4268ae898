// Saving a form or a run as a run file: extension, existing files, relative paths.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

const dialogs = vi.hoisted(() => ({
  chosen: '' as string | undefined,
  answer: undefined as string | undefined,
  asked: 0,
}));
vi.mock('vscode', () => {
  const uri = (path: string) => ({ path, fsPath: path, with: (change: { path: string }) => uri(change.path) });
  return {
    Uri: { file: uri },
    commands: { executeCommand: async () => {} },
    workspace: { isTrusted: true, workspaceFolders: undefined, getWorkspaceFolder: () => undefined },
    window: {
      showSaveDialog: async () => dialogs.chosen && uri(dialogs.chosen),
      showTextDocument: async () => {},
      showWarningMessage: async () => (dialogs.asked++, dialogs.answer),
    },
  };
});
import { saveRunFile } from '../../../../extension/src/host/runFiles/saveRunFile.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tunewright-save-'));
  Object.assign(dialogs, { answer: undefined, asked: 0 });
});
afterEach(() => rmSync(folder, { recursive: true }));

const config = () => ({ model: 'embedded:tiny', dataset: { train: join(folder, 'data/rows.jsonl') } });
const saveAs = (name: string | undefined) => {
  dialogs.chosen = name && join(folder, name);
  return saveRunFile(config(), { name: 'run' });
};

test.each(['tone.tune.json', 'tone.json', 'tone'])('%s is written as tone.tune.json', async name => {
  expect(await saveAs(name)).toBe(join(folder, 'tone.tune.json'));
  expect(JSON.parse(readFileSync(join(folder, 'tone.tune.json'), 'utf8')).dataset.train).toBe('data/rows.jsonl');
});

test('a file that the dialog did not ask about is only replaced after confirmation', async () => {
  writeFileSync(join(folder, 'tone.tune.json'), 'mine');
  expect(await saveAs('tone.json')).toBeUndefined();
  expect(readFileSync(join(folder, 'tone.tune.json'), 'utf8')).toBe('mine');
  dialogs.answer = 'Replace';
  expect(await saveAs('tone.json')).toBe(join(folder, 'tone.tune.json'));
  expect(dialogs.asked).toBe(2);
});

test('a file that the dialog asked about is replaced without asking again', async () => {
  writeFileSync(join(folder, 'tone.tune.json'), 'mine');
  expect(await saveAs('tone.tune.json')).toBe(join(folder, 'tone.tune.json'));
  expect(dialogs.asked).toBe(0);
});

test('nothing is written if the user cancels', async () => {
  mkdirSync(join(folder, 'data'));
  expect(await saveAs(undefined)).toBeUndefined();
  expect(existsSync(join(folder, 'run.tune.json'))).toBe(false);
});
