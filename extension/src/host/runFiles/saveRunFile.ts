// Writes what somebody has put together as a run file: asks where, names paths from there, opens it. Called by the run panel and
// by commands that have a run to repeat or a draft to keep.
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as vscode from 'vscode';
import { withRelativePaths } from './runFilePaths.js';

/**
 * @param config with absolute paths
 * @param suggested name of a run, or the run file that it was read from
 * @returns its path; undefined: the user changed their mind
 */
export async function saveRunFile(
  config: object,
  suggested: { name: string; file?: string | null },
): Promise<string | undefined> {
  const home = vscode.workspace.workspaceFolders?.[0]?.uri.fsPath;
  const file = suggested.file ?? join(home ?? '.', `${suggested.name}.tune.json`);
  const target = await vscode.window.showSaveDialog({
    title: 'Save Run File',
    filters: { 'Run files': ['tune.json'] },
    defaultUri: vscode.Uri.file(file),
  });
  if (!target) return undefined;
  const folder = dirname(target.fsPath);
  const root = vscode.workspace.getWorkspaceFolder(target)?.uri.fsPath ?? folder;
  await writeFile(target.fsPath, `${JSON.stringify(withRelativePaths(config, folder, root), null, 2)}\n`);
  await vscode.window.showTextDocument(target);
  return target.fsPath;
}
