// Turns corrected answers and votes into rows of JSONL datasets, and starts runs on these. Called by the playground. The file is
// edited as a document, so that the editor's undo takes a row back and its problems are checked at once.
import { join } from 'node:path';
import * as vscode from 'vscode';
import { conversationRow } from '../../core/data/conversationRow.js';
import type { Row } from '../../core/data/example.js';
import { extensionOf } from '../../core/data/rowFileTypes.js';
import { readText } from '../../system/regularFile.js';
import type { DatasetKind } from '../../protocol/playgroundMessages.js';
import { proposal } from '../commands/runDraft.js';
import { readFirstRows } from '../datasets/firstRows.js';
import type { WorkspaceDatasets } from '../datasets/workspaceDatasets.js';
import type { KnownMethods } from '../runFiles/knownMethods.js';
import { furtherName, furtherRunFile } from '../runs/furtherRun.js';
import { resultOf } from '../runs/runResult.js';
import type { Run, RunService } from '../services.js';
import { requireTrust } from '../trustedActions.js';
import type { Corrections } from '../webviews/playgroundSession.js';
import { showQuickPick, type PickItem } from '../window.js';

/** With fewer rows none is held out for validation. */
const ROWS_FOR_VALIDATION = 20;

export function datasetCorrections(
  runs: RunService,
  datasets: WorkspaceDatasets,
  methods: KnownMethods,
): Corrections<vscode.Uri> {
  return {
    nameOf: uri => vscode.workspace.asRelativePath(uri),
    pickDataset: kind => pickDataset(kind, datasets),
    appendConversation: async (uri, messages) => {
      const rows = (await firstRows(uri)).filter(row => row !== null);
      return { line: await append(uri, conversationRow(messages, rows)), problems: [] };
    },
    appendPreference: async (uri, pair) => ({ line: await append(uri, { ...pair }) }),
    trainOn: async ({ model, adapter, run: folder }, dataset) => {
      const names = runs.runs().map(({ name }) => name);
      const known = folder ? runs.get(folder) : runs.runs().find(run => adapter !== null && resultOf(run) === adapter);
      const config = known
        ? continued(known, adapter, dataset.fsPath, names)
        : await fresh(model, adapter, dataset.fsPath, methods);
      const rows = (await vscode.workspace.openTextDocument(dataset))
        .getText()
        .split('\n')
        .filter(line => line.trim());
      const held = rows.length < ROWS_FOR_VALIDATION ? { validation: 0 } : {};
      return runs.start(
        { ...config, dataset: { ...config.dataset, ...held } },
        vscode.workspace.getWorkspaceFolder(dataset),
      );
    },
  };
}

interface StartableRun {
  dataset: object;
}

function continued(run: Run, adapter: string | null, train: string, names: readonly string[]): StartableRun {
  const runFile = furtherRunFile(run, adapter ?? resultOf(run)!, furtherName(run.name, names));
  // Another dataset may have another format; length and labels are handled as before.
  const { format: _, columns: __, validation, ...reading } = runFile.dataset;
  return { ...runFile, dataset: { ...reading, ...(typeof validation === 'number' ? { validation } : {}), train } };
}

/** A run from an adapter that no run of this workspace made, or from the base. */
async function fresh(
  model: string,
  adapter: string | null,
  train: string,
  methods: KnownMethods,
): Promise<StartableRun> {
  const config = adapter === null ? {} : JSON.parse(readText(join(adapter, 'adapter_config.json')) ?? '{}');
  const peft_type = String((config as { peft_type?: unknown }).peft_type ?? methods.first);
  const proposed = await proposal({ model, train, peft_type }, methods);
  return adapter === null ? proposed : ({ ...proposed, method: { peft_type, init_from: adapter } } as StartableRun);
}

async function firstRows(uri: vscode.Uri): Promise<(Row | null)[]> {
  return (await readFirstRows(uri.fsPath)).map(({ row }) => row);
}

/** @returns the line of the new row */
async function append(uri: vscode.Uri, row: object): Promise<number> {
  requireTrust();
  if (!isLines(uri.fsPath)) throw new Error('Rows can be added to JSONL files only. Choose or make one.');
  const document = await vscode.workspace.openTextDocument(uri);
  const wasDirty = document.isDirty;
  const end = document.lineAt(document.lineCount - 1);
  const separator = end.text.trim() === '' ? '' : '\n';
  const edit = new vscode.WorkspaceEdit();
  edit.insert(uri, end.range.end, `${separator}${JSON.stringify(row)}\n`);
  if (!(await vscode.workspace.applyEdit(edit)))
    throw new Error(`${vscode.workspace.asRelativePath(uri)} can’t be edited.`);
  // A run reads the file; unsaved changes of the user's are left to the user.
  if (!wasDirty) await document.save();
  return end.lineNumber + (separator === '' ? 1 : 2);
}

function isLines(path: string): boolean {
  return ['.jsonl', '.ndjson'].includes(extensionOf(path));
}

async function pickDataset(kind: DatasetKind, datasets: WorkspaceDatasets): Promise<vscode.Uri | undefined> {
  const { own } = await datasets.list();
  const label = kind === 'conversation' ? 'corrections' : 'preferences';
  const items: (PickItem & { choose(): Promise<vscode.Uri | undefined> })[] = [
    {
      icon: 'new-file',
      label: 'New File...',
      description: `${label}.jsonl`,
      choose: () => newFile(`${label}.jsonl`),
    },
    ...own.filter(isLines).map(path => ({
      icon: 'database',
      label: vscode.workspace.asRelativePath(path),
      choose: async () => vscode.Uri.file(path),
    })),
    { icon: 'folder-opened', label: 'Browse...', choose: browse },
  ];
  const picked = await showQuickPick(items, {
    title: kind === 'conversation' ? 'Add the Corrected Conversation to' : 'Add the Preference Pair to',
    placeHolder: 'Choose a dataset',
  });
  return picked?.choose();
}

async function newFile(name: string): Promise<vscode.Uri | undefined> {
  const home = vscode.workspace.workspaceFolders?.[0]?.uri;
  const target = await vscode.window.showSaveDialog({
    title: 'New Dataset',
    defaultUri: home && vscode.Uri.joinPath(home, name),
    filters: { JSONL: ['jsonl'] },
  });
  if (!target) return undefined;
  requireTrust();
  const edit = new vscode.WorkspaceEdit();
  edit.createFile(target, { ignoreIfExists: true });
  await vscode.workspace.applyEdit(edit);
  return target;
}

async function browse(): Promise<vscode.Uri | undefined> {
  const filters = { JSONL: ['jsonl', 'ndjson'] };
  return (await vscode.window.showOpenDialog({ title: 'Dataset', openLabel: 'Choose', filters }))?.[0];
}
