// Numbers of runs by kind as context keys, which enable commands in the palette and in menus.
import * as vscode from 'vscode';
import { stepDone } from '../walkthrough.js';
import { resultOf } from './runResult.js';
import type { FolderRunService } from './runService.js';

export function registerRunContextKeys(runs: FolderRunService): vscode.Disposable {
  const sent = new Map<string, number>();
  // No key may have the ID of a view: within a tree, VS Code sets a key with the tree's ID.
  const tell = (name: string, value: number) => {
    if (sent.get(name) === value) return;
    sent.set(name, value);
    void vscode.commands.executeCommand('setContext', `tunewright.${name}`, value);
  };
  const countAlive = () => {
    const alive = runs.alive();
    tell('aliveRuns', alive.length);
    tell('runningRuns', alive.filter(run => run.phase === 'running').length);
    tell('pausedRuns', alive.filter(run => run.phase === 'paused').length);
  };
  // Reads the folders of ended runs, so not called at every step of a running one.
  const countAll = () => {
    countAlive();
    const all = runs.runs();
    tell('allRuns', all.length);
    // However they were started: from the panel, the palette, a run file or a terminal.
    if (all.length > 0) stepDone('run');
    tell('resumableRuns', all.filter(run => run.resumable).length);
    tell('results', all.filter(run => resultOf(run) !== null).length);
  };
  countAll();
  return vscode.Disposable.from(
    runs.onDidChangeRun(countAlive),
    ...[runs.onDidChange, runs.onDidStart, runs.onDidEnd].map(event => event(countAll)),
  );
}
