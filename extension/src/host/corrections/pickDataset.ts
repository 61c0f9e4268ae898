// Asks for the dataset that a row is added to: one of the workspace whose format can hold it, a new file, or any other. Called by
// corrections.ts.
import { basename } from 'node:path';
import * as vscode from 'vscode';
import { chooseFormat } from '../../core/data/chooseFormat.js';
import { datasetFormats } from '../../core/data/formats/registry.js';
import type { DatasetKind } from '../../protocol/playgroundMessages.js';
import { textFileType } from '../datasets/documentDatasets.js';
import { readFirstRows } from '../datasets/firstRows.js';
import type { WorkspaceDatasets } from '../datasets/workspaceDatasets.js';
import { requireTrust, trusted } from '../trustedActions.js';
import { showQuickPick, type PickItem } from '../window.js';

const NEW_FILE: Record<DatasetKind, string> = { conversation: 'corrections.jsonl', preference: 'preferences.jsonl' };
const TITLE: Record<DatasetKind, string> = {
  conversation: 'Add the Corrected Conversation to',
  preference: 'Add the Preference Pair to',
};
/** Files that can be edited as text. */
const ENDINGS = ['jsonl', 'ndjson', 'json', 'csv', 'tsv'];

/** @returns undefined if the user cancelled */
export async function pickDataset(
  kind: DatasetKind,
  datasets: Pick<WorkspaceDatasets, 'list'>,
): Promise<vscode.Uri | undefined> {
  requireTrust();
  type Item = PickItem & { choose(): Promise<vscode.Uri | undefined> };
  const { own } = await datasets.list();
  const formats = await Promise.all(own.map(path => formatHolding(kind, path)));
  const items: Item[] = [
    { icon: 'new-file', label: 'New File...', description: NEW_FILE[kind], choose: () => newFile(kind) },
    ...own.flatMap((path, i): Item[] =>
      formats[i] === null
        ? []
        : [
            {
              icon: 'database',
              label: basename(path),
              description: `${vscode.workspace.asRelativePath(path)} · ${formats[i]}`,
              choose: () => Promise.resolve(vscode.Uri.file(path)),
            },
          ],
    ),
    { icon: 'folder-opened', label: 'Browse...', choose: browse },
  ];
  const options = { title: TITLE[kind], placeHolder: 'Choose a dataset', matchOnDescription: true };
  return (await showQuickPick(items, options))?.choose();
}

/** Title of the file's format if rows of this kind can be added to it. */
async function formatHolding(kind: DatasetKind, path: string): Promise<string | null> {
  if (!textFileType(vscode.Uri.file(path))) return null;
  const rows = (await readFirstRows(path)).map(({ row }) => row);
  const format = chooseFormat(rows)?.format;
  return format?.writes?.[kind] ? format.title : null;
}

async function newFile(kind: DatasetKind): Promise<vscode.Uri | undefined> {
  const home = vscode.workspace.workspaceFolders?.[0]?.uri;
  const target = await vscode.window.showSaveDialog({
    title: `New Dataset: ${datasetFormats.find(({ newFilesOf }) => newFilesOf === kind)!.title}`,
    ...(home && { defaultUri: vscode.Uri.joinPath(home, NEW_FILE[kind]) }),
    filters: { Datasets: ENDINGS },
  });
  if (!target) return undefined;
  try {
    trusted.createText(target.fsPath, '');
  } catch (error) {
    // A file that exists keeps its rows.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  return target;
}

async function browse(): Promise<vscode.Uri | undefined> {
  const filters = { Datasets: ENDINGS };
  return (await vscode.window.showOpenDialog({ title: 'Dataset', openLabel: 'Choose', filters }))?.[0];
}
