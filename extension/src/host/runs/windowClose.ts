// What becomes of a run when its window closes. VS Code asks nobody at that moment, so it is asked when the first run starts,
// and kept as a setting; until there is an answer a run goes on. Nor can a window be trusted to say that it closes: a host is killed,
// a browser's last words get lost, a reload looks the same. So windows say that they are there, and the engine ends a run when
// none does any more.
import * as vscode from 'vscode';
import type { FolderRunService } from './runService.js';

type OnWindowClose = 'ask' | 'keepRunning' | 'stop';

/** How often it is said. The engine waits for six times this (engine/run/runProcess.ts). */
const ATTEND_MS = 5_000;
/** After so many times without an answer from the window, it has gone: a server keeps its host for hours, should it come back. */
const SILENT_TIMES = 12;

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
  let silence = 0;
  const attend = () => {
    const ends = setting() === 'stop';
    const own = new Set(runs.startedHere());
    for (const run of runs.alive())
      if (!ends) run.outliveWindows();
      else if (silence < SILENT_TIMES && (own.has(run) || run.endsWithWindows)) run.attend();
  };
  const beat = setInterval(() => {
    // Answered by the window itself. Times are counted, not time: a machine that slept has not been silent.
    if (silence++ === 0) {
      const answered = () => void (silence = 0);
      vscode.commands.executeCommand('setContext', 'tunewright.windowIsThere', true).then(answered, answered);
    }
    attend();
  }, ATTEND_MS);
  return vscode.Disposable.from(
    { dispose: () => clearInterval(beat) },
    runs.onDidStart(() => {
      attend();
      void ask();
    }),
    vscode.workspace.onDidChangeConfiguration(event => {
      if (event.affectsConfiguration('tunewright.onWindowClose')) attend();
    }),
  );
}
