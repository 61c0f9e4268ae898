// VS Code gives files of more than 50 MB to no text feature: their editor shows no line above the rows, no hover, no problems.
// There the preview is offered, once a file and window.
import { stat } from 'node:fs/promises';
import * as vscode from 'vscode';
import { previewViewType } from './previewEditor.js';
import { textFileType } from './documentDatasets.js';

/** As VS Code's own limit for synchronizing documents with extensions. */
const largestDocumentBytes = 50 << 20;

export function registerLargeFileOffer(): vscode.Disposable {
  const offered = new Set<string>();
  const look = async () => {
    const input = vscode.window.tabGroups.activeTabGroup.activeTab?.input;
    if (!(input instanceof vscode.TabInputText) || !textFileType(input.uri)) return;
    const { uri } = input;
    const size = (await stat(uri.fsPath).catch(() => null))?.size ?? 0;
    if (size <= largestDocumentBytes || offered.has(uri.toString())) return;
    offered.add(uri.toString());
    const open = 'Open Preview';
    const message = 'This file is too large for hovers, problems and lengths in its editor. The preview has them all.';
    if ((await vscode.window.showInformationMessage(message, open)) !== open) return;
    await vscode.commands.executeCommand('vscode.openWith', uri, previewViewType);
  };
  void look();
  return vscode.Disposable.from(
    vscode.window.tabGroups.onDidChangeTabs(() => void look()),
    vscode.window.tabGroups.onDidChangeTabGroups(() => void look()),
  );
}
