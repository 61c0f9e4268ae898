// The file that a command without an argument is about.
import * as vscode from 'vscode';

/**
 * The file in the active tab, in a text editor or a preview; undefined: none. The tab has it before its text is loaded, when there is no
 * active text editor yet, and also where the file is too large for one that extensions see.
 */
export function activeFile(): vscode.Uri | undefined {
  const input = vscode.window.tabGroups.activeTabGroup.activeTab?.input;
  const isFile = input instanceof vscode.TabInputText || input instanceof vscode.TabInputCustom;
  return isFile && input.uri.scheme === 'file' ? input.uri : undefined;
}
