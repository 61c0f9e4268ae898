// Saves a config as a run file: asks for the location, makes paths relative to it, opens the file. Called by the run
// panel and by commands on drafts and runs.
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import * as vscode from 'vscode';
import { requireTrust, trusted } from '../trustedActions.js';
import { stepDone } from '../walkthrough.js';
import { withRelativePaths } from './runFilePaths.js';
import { showWarningMessage } from '../window.js';

/**
 * @param config with absolute paths
 * @param suggested name of the run, or the run file that it was read from
 * @returns path of the file; undefined if the user cancelled
 */
export async function saveRunFile(
  config: object,
  suggested: { name: string; file?: string | null },
): Promise<string | undefined> {
  requireTrust();
  const home = vscode.workspace.workspaceFolders?.[0]?.uri.fsPath;
  const file = suggested.file ?? join(home ?? '.', `${suggested.name}.tune.json`);
  const chosen = await vscode.window.showSaveDialog({
    title: 'Save Run File',
    // Save dialogs don't support extensions with two dots: they would append ".tune.json" a second time.
    filters: { 'Run files': ['json'] },
    defaultUri: vscode.Uri.file(file),
  });
  const target = chosen && (await asRunFile(chosen));
  if (!target) return undefined;
  const folder = dirname(target.fsPath);
  const root = vscode.workspace.getWorkspaceFolder(target)?.uri.fsPath ?? folder;
  trusted.saveChosen(target.fsPath, `${JSON.stringify(withRelativePaths(config, folder, root), null, 2)}\n`);
  stepDone('runFile');
  await vscode.window.showTextDocument(target);
  return target.fsPath;
}

/** The file with the extension of run files; undefined if it exists and the user keeps it. */
async function asRunFile(chosen: vscode.Uri): Promise<vscode.Uri | undefined> {
  const target = chosen.with({ path: chosen.path.replace(/(\.tune)?(\.json)?$/, '.tune.json') });
  if (target.path === chosen.path || !existsSync(target.fsPath)) return target;
  const answer = await showWarningMessage(
    `Replace ${basename(target.fsPath)}?`,
    { modal: true, detail: 'Run files end in .tune.json, and a file of that name already exists.' },
    'Replace',
  );
  return answer && target;
}
