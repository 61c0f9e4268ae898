// How many runs there are of each kind, as context keys: what commands in the palette and menus are enabled by.
import * as vscode from 'vscode';
import { resultOf } from './furtherRun.js';
import type { FolderRunService } from './runService.js';

export function registerRunContextKeys(runs: FolderRunService): vscode.Disposable {
  const told = new Map<string, number>();
  // None may be called as a view is: within a tree VS Code sets a key of the tree's own id.
  const tell = (name: string, value: number) => {
    if (told.get(name) === value) return;
    told.set(name, value);
    void vscode.commands.executeCommand('setContext', `tunewright.${name}`, value);
  };
  const countAlive = () => {
    const alive = runs.alive();
    tell('aliveRuns', alive.length);
    tell('runningRuns', alive.filter(run => run.phase === 'running').length);
    tell('pausedRuns', alive.filter(run => run.phase === 'paused').length);
  };
  // Looks into the folders of runs that have ended, so not at every step of one that trains.
  const countAll = () => {
    countAlive();
    const all = runs.runs();
    tell('allRuns', all.length);
    tell('resumableRuns', all.filter(run => run.resumable).length);
    tell('results', all.filter(run => resultOf(run) !== null).length);
  };
  countAll();
  return vscode.Disposable.from(
    runs.onDidChangeRun(countAlive),
    ...[runs.onDidChange, runs.onDidStart, runs.onDidEnd].map(event => event(countAll)),
  );
}
