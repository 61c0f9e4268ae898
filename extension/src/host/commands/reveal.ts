// Shows a file or folder where it can be seen: in the explorer where the workspace holds it, else in the system's own.
import * as vscode from 'vscode';

export function reveal(path: string): Thenable<unknown> {
  const uri = vscode.Uri.file(path);
  const inWorkspace = vscode.workspace.getWorkspaceFolder(uri) !== undefined;
  return vscode.commands.executeCommand(inWorkspace ? 'revealInExplorer' : 'revealFileInOS', uri);
}
