// Opens files in an editor at the place that an error names: a line, or a key of a run file. Called by the actions of a
// dashboard.
import { existsSync, statSync } from 'node:fs';
import { findNodeAtLocation, parseTree } from 'jsonc-parser';
import * as vscode from 'vscode';
import { reveal } from '../commands/reveal.js';

/** @param key with dots, such as `training.learning_rate`; its nearest part that exists is selected */
export async function openAtKey(file: string, key: string | null): Promise<void> {
  const document = await vscode.workspace.openTextDocument(vscode.Uri.file(file));
  const tree = parseTree(document.getText());
  const path = key?.split('.') ?? [];
  let node;
  while (tree && path.length > 0 && !(node = findNodeAtLocation(tree, path))) path.pop();
  const property = node?.parent ?? node;
  const start = document.positionAt(property?.offset ?? 0);
  const end = document.positionAt(property ? property.offset + property.length : 0);
  await vscode.window.showTextDocument(document, { preview: false, selection: new vscode.Range(start, end) });
}

/** @param line from 1; folders are revealed instead. @throws Error if the file doesn't exist */
export async function openAtLine(file: string, line: number | null): Promise<void> {
  if (!existsSync(file)) throw new Error(`${file} does not exist.`);
  const found = statSync(file);
  if (found.isDirectory()) return reveal(file);
  if (!found.isFile()) throw new Error(`${file} is not a file.`);
  const at = new vscode.Position((line ?? 1) - 1, 0);
  const options = { preview: false, selection: new vscode.Range(at, at) };
  // Files that aren't text, such as Parquet, have editors of their own.
  await vscode.commands.executeCommand('vscode.open', vscode.Uri.file(file), options);
}
