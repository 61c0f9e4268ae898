// Where runs are stored: the setting `tunewright.runsFolder` of each workspace folder, or the extension's storage if no
// folder is open.
import { isAbsolute, join } from 'node:path';
import * as vscode from 'vscode';
import { namesIn } from '../../system/regularFile.js';

export function runsFolderOf(folder: vscode.WorkspaceFolder | undefined, context: vscode.ExtensionContext): string {
  if (!folder) return join(context.globalStorageUri.fsPath, 'runs');
  const named = vscode.workspace.getConfiguration('tunewright', folder).get<string>('runsFolder', '').trim() || 'runs';
  return isAbsolute(named) ? named : join(folder.uri.fsPath, named);
}

export function runsFolders(context: vscode.ExtensionContext): string[] {
  const folders = vscode.workspace.workspaceFolders ?? [undefined];
  return [...new Set(folders.map(folder => runsFolderOf(folder, context)))];
}

/** Whether a path is in one of these folders, as of the present settings. */
export function withinRunsFolders(context: vscode.ExtensionContext): (path: string) => boolean {
  const folders = runsFolders(context).map(folder => join(folder, '/'));
  return path => folders.some(folder => path.startsWith(folder));
}

/** `NAME-20260131-142500`, with a number appended if that exists. */
export function runFolderName(name: string, now: Date, isTaken: (name: string) => boolean): string {
  const stamp = now.toISOString().replace(/\D/g, '').slice(0, 14);
  const wanted = `${inFolderName(name)}-${stamp.slice(0, 8)}-${stamp.slice(8)}`;
  let free = wanted;
  for (let i = 2; isTaken(free); i++) free = `${wanted}-${i}`;
  return free;
}

/** The name in that of a folder; the whole if `runFolderName` hasn't made it. */
export function nameInFolder(folder: string): string {
  return folder.replace(/-\d{8}-\d{6}(-\d+)?$/, '');
}

/** The folder in `home` that `runFolderName` last made of this name; null if there is none. */
export function latestFolder(home: string, name: string): string | null {
  const isOfName = (folder: string) => folder !== nameInFolder(folder) && nameInFolder(folder) === inFolderName(name);
  const latest = namesIn(home).filter(isOfName).toSorted().at(-1);
  return latest === undefined ? null : join(home, latest);
}

function inFolderName(name: string): string {
  return name.replace(/[^\w.-]+/g, '-');
}
