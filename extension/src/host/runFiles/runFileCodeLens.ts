// The line above a run file: start it, open it as a form, see what it would take.
import * as vscode from 'vscode';

export function registerRunFileCodeLens(): vscode.Disposable {
  return vscode.languages.registerCodeLensProvider(
    { scheme: 'file', pattern: '**/*.tune.json' },
    { provideCodeLenses },
  );
}

function provideCodeLenses({ uri }: vscode.TextDocument): vscode.CodeLens[] {
  const top = new vscode.Range(0, 0, 0, 0);
  const lens = (title: string, command: string) => new vscode.CodeLens(top, { title, command, arguments: [uri] });
  const open = lens('$(settings) Open in Run Panel', 'tunewright.openRunFileInPanel');
  if (!vscode.workspace.isTrusted) return [open];
  return [
    lens('$(play) Start Run', 'tunewright.startRunFile'),
    open,
    lens('$(dashboard) Estimate Memory and Parameters', 'tunewright.estimate'),
  ];
}
