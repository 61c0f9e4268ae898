// Commands on runs that are there: steer, resume, repeat, look at, delete.
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as vscode from 'vscode';
import type { EngineCommand } from '../../protocol/engineCommand.js';
import type { FolderRun } from '../runs/folderRun.js';
import { runFiles } from '../runs/runFiles.js';
import type { FolderRunService } from '../runs/runService.js';
import { registerGuarded } from './guarded.js';
import { pickRun, pickRuns, runOf } from './pickRun.js';

export function registerRunCommands(runs: FolderRunService, output: vscode.LogOutputChannel): vscode.Disposable {
  const command = (
    id: string,
    title: string,
    fits: (run: FolderRun) => boolean,
    act: (run: FolderRun, ...args: unknown[]) => unknown,
  ) =>
    registerGuarded(output, id, async (argument, ...rest) => {
      const run = await pickRun(runs, argument, title, fits);
      return run && act(run, ...rest);
    });
  const steer = (id: string, title: string, type: EngineCommand['type'], fits: (run: FolderRun) => boolean) =>
    command(id, title, fits, run => run.send({ type }));

  return vscode.Disposable.from(
    steer('tunewright.stopRun', 'Stop Run', 'stop', run => run.alive),
    steer('tunewright.pauseRun', 'Pause Run', 'pause', run => run.alive && run.phase !== 'paused'),
    steer('tunewright.continueRun', 'Continue Run', 'resume', run => run.phase === 'paused'),
    steer('tunewright.saveCheckpoint', 'Save Checkpoint Now', 'save', run => run.alive),
    command('tunewright.resumeRun', 'Resume Run', isResumable, run =>
      run.phase === 'paused' ? run.send({ type: 'resume' }) : runs.resume(run),
    ),
    command(
      'tunewright.openDashboard',
      'Open Dashboard',
      () => true,
      run => openDashboard([run]),
    ),
    registerGuarded(output, 'tunewright.compareRuns', (_clicked, selected) => compare(runs, selected)),
    command(
      'tunewright.duplicateRun',
      'Duplicate Run',
      () => true,
      run => duplicate(run, runs),
    ),
    command(
      'tunewright.revealRun',
      'Reveal Run Folder',
      () => true,
      run => vscode.commands.executeCommand('revealInExplorer', vscode.Uri.file(runFiles(run.folder).run)),
    ),
    command(
      'tunewright.openRunLog',
      'Open Run Log',
      () => true,
      run => vscode.window.showTextDocument(vscode.Uri.file(run.logFile), { preview: true }),
    ),
    command(
      'tunewright.copyRunPath',
      'Copy Path of Run',
      () => true,
      run => vscode.env.clipboard.writeText(run.folder),
    ),
    command(
      'tunewright.deleteRun',
      'Delete Run',
      () => true,
      (run, selected) =>
        confirmAndDelete(Array.isArray(selected) ? selected.flatMap(each => runOf(runs, each) ?? []) : [run], runs),
    ),
    runs.onDidFail(run => void tellFailure(run)),
  );
}

function openDashboard(chosen: readonly FolderRun[]): Thenable<unknown> {
  return vscode.commands.executeCommand(
    'tunewright.dashboard.open',
    chosen.map(run => run.folder),
  );
}

/** The runs selected in the tree, else a choice. */
async function compare(runs: FolderRunService, selected: unknown): Promise<unknown> {
  const named = Array.isArray(selected) ? selected.flatMap(each => runOf(runs, each) ?? []) : [];
  const chosen = named.length > 1 ? named : await pickRuns(runs, 'Compare Runs');
  return chosen && chosen.length > 0 ? openDashboard(chosen) : undefined;
}

/** Paused, or ended before its time with something to go on from. */
export function isResumable(run: FolderRun): boolean {
  return run.phase === 'paused' || (!run.alive && run.glance().started !== null && run.phase !== 'completed');
}

async function confirmAndDelete(chosen: readonly FolderRun[], runs: FolderRunService): Promise<void> {
  const what = chosen.length === 1 ? `the run “${chosen[0]!.name}”` : `${chosen.length} runs`;
  const training = chosen.some(run => run.alive) ? ' It is training and will be stopped.' : '';
  const answer = await vscode.window.showWarningMessage(
    `Delete ${what}, with the adapter and every checkpoint?`,
    { modal: true, detail: `${chosen.map(run => run.folder).join('\n')}\n\nThis can’t be undone.${training}` },
    'Delete',
  );
  if (answer !== 'Delete') return;
  for (const run of chosen) await runs.delete(run);
}

async function duplicate(run: FolderRun, runs: FolderRunService): Promise<void> {
  const again = { label: '$(play) Start Again', detail: 'The same run, from the beginning' };
  const change = { label: '$(settings) Change in Run Panel', detail: 'Opens the form with the options of this run' };
  const save = { label: '$(save) Save as Run File...', detail: 'A .tune.json to edit, to share or to keep' };
  const answer = await vscode.window.showQuickPick([again, change, save], { title: `Duplicate ${run.name}` });
  if (answer === again) await runs.start(run.config);
  else if (answer === change)
    await vscode.commands.executeCommand('tunewright.openRunFileInPanel', vscode.Uri.file(runFiles(run.folder).run));
  else if (answer === save) await saveRunFile(run.config, run.name);
}

/** Asks where, writes it and opens it. */
export async function saveRunFile(config: object, name: string): Promise<void> {
  const home = vscode.workspace.workspaceFolders?.[0]?.uri.fsPath;
  const target = await vscode.window.showSaveDialog({
    title: 'Save Run File',
    filters: { 'Run files': ['tune.json'] },
    defaultUri: vscode.Uri.file(join(home ?? dirname('.'), `${name}.tune.json`)),
  });
  if (!target) return;
  writeFileSync(target.fsPath, `${JSON.stringify(config, null, 2)}\n`);
  await vscode.window.showTextDocument(target);
}

/** A run that this window started ended badly: there is something to mend. */
async function tellFailure(run: FolderRun): Promise<void> {
  const message = run.failure() ?? run.lastWords();
  const edit = 'Change in Run Panel';
  const log = 'Open Log';
  const answer = await vscode.window.showErrorMessage(`${run.name}: ${message}`, edit, log);
  if (answer === log) await vscode.commands.executeCommand('tunewright.openRunLog', run);
  if (answer === edit)
    await vscode.commands.executeCommand('tunewright.openRunFileInPanel', vscode.Uri.file(runFiles(run.folder).run));
}
