// The file that a command without an argument is about.
import * as vscode from 'vscode';

/**
 * The file in the active tab, in a text editor or a preview; undefined: none. The active text editor won't do: there is none
 * until the text is loaded, and none for files that are too large for extensions.
 */
export function activeFile(): vscode.Uri | undefined {
  const input = vscode.window.tabGroups.activeTabGroup.activeTab?.input;
  const isFile = input instanceof vscode.TabInputText || input instanceof vscode.TabInputCustom;
  return isFile && input.uri.scheme === 'file' ? input.uri : undefined;
}
