// What becomes of a run when its window closes. VS Code asks nobody at that moment, so it is asked when the first run starts,
// and kept as a setting; until there is an answer a run goes on.
import * as vscode from 'vscode';
import type { FolderRunService } from './runService.js';

type OnWindowClose = 'ask' | 'keepRunning' | 'stop';

const setting = (): OnWindowClose =>
  vscode.workspace.getConfiguration('tunewright').get<OnWindowClose>('onWindowClose', 'ask');

export function registerWindowClose(runs: FolderRunService): vscode.Disposable {
  let asked = false;
  const ask = async () => {
    if (asked || setting() !== 'ask') return;
    asked = true;
    const keep = 'Keep Running';
    const stop = 'Stop with the Window';
    const answer = await vscode.window.showInformationMessage(
      'Runs train in a process of their own. When you close this window, shall they go on?',
      keep,
      stop,
    );
    if (answer)
      await vscode.workspace
        .getConfiguration('tunewright')
        .update('onWindowClose', answer === keep ? 'keepRunning' : 'stop', vscode.ConfigurationTarget.Global);
  };
  return runs.onDidStart(() => void ask());
}

/** Stops what this window started where the setting says so: it saves and ends by itself. */
export function endWithWindow(runs: FolderRunService): void {
  if (setting() === 'stop') for (const run of runs.startedHere()) run.send({ type: 'stop' });
}
