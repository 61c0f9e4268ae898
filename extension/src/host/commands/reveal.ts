// Reveals a file or folder: in the Explorer if the workspace contains it, else in the system's file manager. A browser
// or a remote window has none, so it offers the path.
import * as vscode from 'vscode';
import { showInformationMessage } from '../window.js';

export async function reveal(path: string): Promise<void> {
  const uri = vscode.Uri.file(path);
  if (vscode.workspace.getWorkspaceFolder(uri)) {
    await vscode.commands.executeCommand('revealInExplorer', uri);
  } else if (vscode.env.uiKind === vscode.UIKind.Desktop && vscode.env.remoteName === undefined) {
    await vscode.commands.executeCommand('revealFileInOS', uri);
  } else {
    const copy = 'Copy Path';
    const answer = await showInformationMessage(`This is outside the workspace: ${path}`, copy);
    if (answer === copy) await vscode.env.clipboard.writeText(path);
  }
}
