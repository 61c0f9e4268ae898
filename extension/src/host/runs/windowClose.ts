// What happens to a run when its window closes. VS Code doesn't let extensions ask then, so the user is asked when the
// first run starts, and the answer is kept as a setting; until then runs continue. Nor do windows report reliably that
// they close: a host may be killed, a browser's last message lost, and a reload looks the same. So open windows mark
// the run repeatedly, and the engine ends it when the marks stop.
import * as vscode from 'vscode';
import type { FolderRunService } from './runService.js';
import { showInformationMessage } from '../window.js';

type OnWindowClose = 'ask' | 'keepRunning' | 'stop';

/** How often a window marks its runs. The engine waits for six times this (engine/run/runProcess.ts). */
const ATTEND_MS = 5_000;
/** After this many beats without an answer, the window has closed: a server keeps its extension host for hours. */
const MAX_SILENT_BEATS = 12;

const setting = (): OnWindowClose =>
  vscode.workspace.getConfiguration('tunewright').get<OnWindowClose>('onWindowClose', 'ask');

export function registerWindowClose(runs: FolderRunService): vscode.Disposable {
  let asked = false;
  const ask = async () => {
    if (asked || setting() !== 'ask') return;
    asked = true;
    const keep = 'Keep Training';
    const stop = 'Stop Training';
    const answer = await showInformationMessage('Keep training when you close this window?', keep, stop);
    if (answer)
      await vscode.workspace
        .getConfiguration('tunewright')
        .update('onWindowClose', answer === keep ? 'keepRunning' : 'stop', vscode.ConfigurationTarget.Global);
  };
  let silence = 0;
  const attend = () => {
    if (!vscode.workspace.isTrusted) return;
    const ends = setting() === 'stop';
    const own = new Set(runs.startedHere());
    for (const run of runs.alive())
      if (!ends) run.outliveWindows();
      else if (silence < MAX_SILENT_BEATS && (own.has(run) || run.endsWithWindows)) run.attend();
  };
  const beat = setInterval(() => {
    // The window itself answers this command. Beats are counted instead of time, so that a sleeping machine doesn't
    // count.
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
