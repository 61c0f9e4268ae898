// The CodeLens above a run file: start it, open it in the run panel, estimate it; and above a race file: start it, open its race.
import * as vscode from 'vscode';
import { lensTitle } from '../window.js';

type Lens = [icon: string, text: string, command: string];

export function registerRunFileCodeLens(): vscode.Disposable {
  return vscode.Disposable.from(
    lensesAbove(
      '**/*.tune.json',
      [
        ['play', 'Start Run', 'tunewright.startRunFile'],
        ['settings', 'Open in Run Panel', 'tunewright.openRunFileInPanel'],
        ['dashboard', 'Estimate Memory and Parameters', 'tunewright.estimate'],
        ['graph-scatter', 'Compare Methods', 'tunewright.compareMethods'],
      ],
      ['tunewright.openRunFileInPanel'],
    ),
    lensesAbove(
      '**/*.race.json',
      [
        ['play', 'Start Race', 'tunewright.startRace'],
        ['graph-scatter', 'Open Race', 'tunewright.openRace'],
      ],
      ['tunewright.openRace'],
    ),
  );
}

/** @param untrusted the commands that are offered in Restricted Mode */
function lensesAbove(pattern: string, lenses: readonly Lens[], untrusted: readonly string[]): vscode.Disposable {
  const top = new vscode.Range(0, 0, 0, 0);
  const provideCodeLenses = ({ uri }: vscode.TextDocument) =>
    lenses
      .filter(([, , command]) => vscode.workspace.isTrusted || untrusted.includes(command))
      .map(([icon, text, command]) => {
        return new vscode.CodeLens(top, { title: lensTitle(icon, text), command, arguments: [uri] });
      });
  return vscode.languages.registerCodeLensProvider(
    { scheme: 'file', pattern },
    { provideCodeLenses, onDidChangeCodeLenses: vscode.workspace.onDidGrantWorkspaceTrust },
  );
}
