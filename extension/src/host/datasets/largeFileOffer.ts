// VS Code disables extension features in editors of files over 50 MB: they have no CodeLens, hovers or problems. Offers
// the preview for such files, once per file and window.
import { stat } from 'node:fs/promises';
import * as vscode from 'vscode';
import { PREVIEW_VIEW_TYPE } from './previewEditor.js';
import { textFileType } from './documentDatasets.js';
import { showInformationMessage } from '../window.js';

/** VS Code's limit for synchronizing documents with extensions. */
const MAX_SYNCHRONIZED_BYTES = 50 << 20;

export function registerLargeFileOffer(): vscode.Disposable {
  const offered = new Set<string>();
  const look = async () => {
    const input = vscode.window.tabGroups.activeTabGroup.activeTab?.input;
    if (!(input instanceof vscode.TabInputText) || !textFileType(input.uri)) return;
    const { uri } = input;
    const size = (await stat(uri.fsPath).catch(() => null))?.size ?? 0;
    if (size <= MAX_SYNCHRONIZED_BYTES || offered.has(uri.toString())) return;
    offered.add(uri.toString());
    const open = 'Open Preview';
    const message =
      'This file is too large for hovers, problems and row lengths in the editor. The preview shows them all.';
    if ((await showInformationMessage(message, open)) !== open) return;
    await vscode.commands.executeCommand('vscode.openWith', uri, PREVIEW_VIEW_TYPE);
  };
  void look();
  return vscode.Disposable.from(
    vscode.window.tabGroups.onDidChangeTabs(() => void look()),
    vscode.window.tabGroups.onDidChangeTabGroups(() => void look()),
  );
}
