// Writes what somebody has put together as a run file: asks where, names paths from there, opens it. Called by the run panel and
// by commands that have a run to repeat or a draft to keep.
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
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
  const chosen = await vscode.window.showSaveDialog({
    title: 'Save Run File',
    // Dialogs know nothing of endings in two parts: they would append ".tune.json" to what has it already.
    filters: { 'Run files': ['json'] },
    defaultUri: vscode.Uri.file(file),
  });
  const target = chosen && (await asRunFile(chosen));
  if (!target) return undefined;
  const folder = dirname(target.fsPath);
  const root = vscode.workspace.getWorkspaceFolder(target)?.uri.fsPath ?? folder;
  await writeFile(target.fsPath, `${JSON.stringify(withRelativePaths(config, folder, root), null, 2)}\n`);
  await vscode.window.showTextDocument(target);
  return target.fsPath;
}

/** The same file with the ending of run files; undefined where one of that name stands there and shall stay. */
async function asRunFile(chosen: vscode.Uri): Promise<vscode.Uri | undefined> {
  const target = chosen.with({ path: chosen.path.replace(/(\.tune)?(\.json)?$/, '.tune.json') });
  if (target.path === chosen.path || !existsSync(target.fsPath)) return target;
  const answer = await vscode.window.showWarningMessage(
    `Replace ${basename(target.fsPath)}?`,
    { modal: true, detail: 'Run files end in .tune.json, and one of that name is there already.' },
    'Replace',
  );
  return answer && target;
}
