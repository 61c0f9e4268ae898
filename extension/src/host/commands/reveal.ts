// Reveals a file or folder: in the Explorer if the workspace contains it, else in the system's file manager.
import * as vscode from 'vscode';

export function reveal(path: string): Thenable<unknown> {
  const uri = vscode.Uri.file(path);
  const inWorkspace = vscode.workspace.getWorkspaceFolder(uri) !== undefined;
  return vscode.commands.executeCommand(inWorkspace ? 'revealInExplorer' : 'revealFileInOS', uri);
}
