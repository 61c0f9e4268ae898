// The CodeLens above a run file: start it, open it in the run panel, estimate it.
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
  // VS Code removes a plain space after an icon.
  const open = lens('$(settings)\u00a0Open in Run Panel', 'tunewright.openRunFileInPanel');
  if (!vscode.workspace.isTrusted) return [open];
  return [
    lens('$(play)\u00a0Start Run', 'tunewright.startRunFile'),
    open,
    lens('$(dashboard)\u00a0Estimate Memory and Parameters', 'tunewright.estimate'),
  ];
}
