// Shows step, loss and remaining time of the running run in the status bar; hidden while none is running.
import * as vscode from 'vscode';
import { deviceText } from '../../core/deviceText.js';
import { currentStep, queuedText, secondsLeft } from '../../core/runs/runState.js';
import { roughDuration, runFigure, shortFigure } from '../../core/runs/runStatus.js';
import { count } from '../../core/units.js';
import { iconText } from '../window.js';
import type { FolderRun } from './folderRun.js';
import type { FolderRunService } from './runService.js';

export function registerRunStatusBar(runs: FolderRunService): vscode.Disposable {
  const item = vscode.window.createStatusBarItem('tunewright.run', vscode.StatusBarAlignment.Left, 50);
  item.name = 'Tunewright Run';
  const show = () => {
    const alive = runs.alive();
    const [run] = alive;
    if (!run) return item.hide();
    item.text = textOf(run) + (alive.length > 1 ? ` (+${alive.length - 1})` : '');
    const { started } = run.glance();
    const device = started ? deviceText(started.engine) : null;
    item.tooltip = [`Tunewright: Open Dashboard of ${run.name}`, device].filter(Boolean).join('\n');
    const label = [`Tunewright run ${run.name}`, wordsOf(run), device].filter(Boolean).join(', ');
    item.accessibilityInformation = { label };
    item.command = { command: 'tunewright.openDashboard', title: 'Open Dashboard', arguments: [run] };
    item.show();
  };
  show();
  return vscode.Disposable.from(item, runs.onDidChange(show), runs.onDidChangeRun(show));
}

function textOf(run: FolderRun): string {
  const icon =
    { starting: 'loading~spin', paused: 'debug-pause', queued: 'clockface' }[run.phase as string] ?? 'sync~spin';
  return iconText(icon, `${run.name}: ${wordsOf(run)}`);
}

function wordsOf(run: FolderRun): string {
  const state = run.glance();
  if (run.phase === 'queued' && state.queued) return uncapitalized(queuedText(state.queued));
  if (run.phase === 'starting' || !state.started) return 'starting';
  const loss = runFigure(state);
  const left = run.phase === 'paused' ? null : secondsLeft(state);
  return [
    `step ${count(currentStep(state))} of ${count(state.started.total_steps)}`,
    loss === null ? '' : shortFigure(loss),
    left === null ? '' : `${roughDuration(left)} left`,
    run.phase === 'paused' ? 'paused' : '',
  ]
    .filter(Boolean)
    .join(', ');
}

function uncapitalized(text: string): string {
  return text[0]!.toLowerCase() + text.slice(1);
}
