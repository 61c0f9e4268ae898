// The CodeLens above a run file: start it, open it in the run panel, estimate it.
import * as vscode from 'vscode';
import { lensTitle } from '../window.js';

export function registerRunFileCodeLens(): vscode.Disposable {
  return vscode.languages.registerCodeLensProvider(
    { scheme: 'file', pattern: '**/*.tune.json' },
    { provideCodeLenses, onDidChangeCodeLenses: vscode.workspace.onDidGrantWorkspaceTrust },
  );
}

function provideCodeLenses({ uri }: vscode.TextDocument): vscode.CodeLens[] {
  const top = new vscode.Range(0, 0, 0, 0);
  const lens = (icon: string, text: string, command: string) =>
    new vscode.CodeLens(top, { title: lensTitle(icon, text), command, arguments: [uri] });
  const open = lens('settings', 'Open in Run Panel', 'tunewright.openRunFileInPanel');
  if (!vscode.workspace.isTrusted) return [open];
  return [
    lens('play', 'Start Run', 'tunewright.startRunFile'),
    open,
    lens('dashboard', 'Estimate Memory and Parameters', 'tunewright.estimate'),
  ];
}
