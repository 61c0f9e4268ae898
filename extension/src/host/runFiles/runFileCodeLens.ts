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
  // A plain space behind an icon is swallowed.
  const open = lens('$(settings)\u00a0Open in Run Panel', 'tunewright.openRunFileInPanel');
  if (!vscode.workspace.isTrusted) return [open];
  return [
    lens('$(play)\u00a0Start Run', 'tunewright.startRunFile'),
    open,
    lens('$(dashboard)\u00a0Estimate Memory and Parameters', 'tunewright.estimate'),
  ];
}
