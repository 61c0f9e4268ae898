// Commands on existing runs: control, resume, start again, duplicate, show, delete.
import * as vscode from 'vscode';
import type { ControlCommand } from '../../protocol/controlCommand.js';
import { saveRunFile } from '../runFiles/saveRunFile.js';
import type { FolderRun } from '../runs/folderRun.js';
import { runFolderFiles } from '../runs/runFolderFiles.js';
import type { FolderRunService } from '../runs/runService.js';
import { EngineInputError } from '../services.js';
import { chosenPlace } from '../clusters/choosePlace.js';
import { addressOf, type Clusters } from '../clusters/clusters.js';
import { registerGuarded } from './guarded.js';
import { pickRun, pickRuns, runOf } from './pickRun.js';
import { reveal } from './reveal.js';
import { showErrorMessage, showQuickPick, showWarningMessage } from '../window.js';

export function registerRunCommands(
  runs: FolderRunService,
  clusters: Clusters,
  output: vscode.LogOutputChannel,
): vscode.Disposable {
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
  /** Applies to all runs that are selected in the tree and fit. */
  const steer = (id: string, title: string, type: ControlCommand['type'], fits: (run: FolderRun) => boolean) =>
    command(id, title, fits, (run, selected) => {
      for (const each of [run, ...others(run, selected)]) if (each === run || fits(each)) each.send({ type });
    });
  const others = (run: FolderRun, selected: unknown) =>
    Array.isArray(selected) ? selected.flatMap(each => runOf(runs, each) ?? []).filter(each => each !== run) : [];

  return vscode.Disposable.from(
    steer('tunewright.stopRun', 'Stop Run', 'stop', run => run.alive),
    steer('tunewright.pauseRun', 'Pause Run', 'pause', run => run.phase === 'running'),
    steer('tunewright.saveCheckpoint', 'Save Checkpoint Now', 'save', takesCommands),
    command(
      'tunewright.resumeRun',
      'Resume Run',
      run => run.resumable || run.phase === 'paused',
      (run, selected) => resume(runs, clusters, [run, ...others(run, selected)]),
    ),
    command(
      'tunewright.startRunAgain',
      'Start Run Again',
      () => true,
      run => startAgain(run),
    ),
    command(
      'tunewright.startRunAnyway',
      'Start Run Anyway',
      run => run.refusedForMemory,
      run => runs.startAnyway(run),
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
      run => duplicate(run),
    ),
    command(
      'tunewright.revealRun',
      'Reveal Run Folder',
      () => true,
      run => reveal(runFolderFiles(run.folder).run),
    ),
    command(
      'tunewright.openRunLog',
      'Open Run Log',
      () => true,
      run => vscode.window.showTextDocument(vscode.Uri.file(run.logFile), { preview: true }),
    ),
    command(
      'tunewright.copyRunPath',
      'Copy Run Path',
      () => true,
      run => vscode.env.clipboard.writeText(run.folder),
    ),
    command(
      'tunewright.deleteRun',
      'Delete Run',
      () => true,
      (run, selected) => confirmAndDelete([run, ...others(run, selected)], runs),
    ),
    runs.onDidFail(run => void showFailure(run)),
  );
}

/** Ends the pause of a paused run; a detached one is followed again; any other continues from its last checkpoint. */
async function resume(runs: FolderRunService, clusters: Clusters, chosen: readonly FolderRun[]): Promise<void> {
  for (const run of chosen)
    if (run.phase === 'paused') run.send({ type: 'resume' });
    else if (run.phase === 'detached') await runs.followJob(run);
    else if (run.resumable) await runs.resume(run, await chosenPlace(run.config, clusters, `Resume ${run.name}`));
    else if (chosen.length === 1)
      throw new EngineInputError({
        code: 'bad_input',
        message: `“${run.name}” has no checkpoint to resume from.`,
        hint: 'Start it again instead.',
      });
}

/** As a new run, from the run file in its folder, which may have been edited. */
function startAgain(run: FolderRun): Thenable<unknown> {
  return vscode.commands.executeCommand('tunewright.startRunFile', runFileOf(run));
}

function runFileOf({ folder }: FolderRun): vscode.Uri {
  return vscode.Uri.file(runFolderFiles(folder).run);
}

function openDashboard(chosen: readonly FolderRun[]): Thenable<unknown> {
  return vscode.commands.executeCommand(
    'tunewright.dashboard.open',
    chosen.map(run => run.folder),
  );
}

/** Compares the runs selected in the tree, else those that the user chooses. */
async function compare(runs: FolderRunService, selected: unknown): Promise<unknown> {
  const named = Array.isArray(selected) ? selected.flatMap(each => runOf(runs, each) ?? []) : [];
  const chosen = named.length > 1 ? named : await pickRuns(runs, 'Compare Runs');
  return chosen && chosen.length > 0 ? openDashboard(chosen) : undefined;
}

/** The engine reads commands from the first step on. */
function takesCommands({ phase }: FolderRun): boolean {
  return phase === 'running' || phase === 'paused';
}

async function confirmAndDelete(chosen: readonly FolderRun[], runs: FolderRunService): Promise<void> {
  const what = chosen.length === 1 ? `the run “${chosen[0]!.name}”` : `${chosen.length} runs`;
  const training = chosen.some(run => run.alive) ? ' Training will be stopped.' : '';
  const answer = await showWarningMessage(
    `Delete ${what}, including adapters and checkpoints?`,
    { modal: true, detail: `${chosen.map(run => run.folder).join('\n')}\n\nThis can’t be undone.${training}` },
    'Delete',
  );
  if (answer !== 'Delete') return;
  for (const run of chosen) await runs.delete(run);
}

async function duplicate(run: FolderRun): Promise<void> {
  const again = { icon: 'play', label: 'Start Again', detail: 'Repeats the run from the beginning' };
  const edit = { icon: 'settings', label: 'Edit in Run Panel', detail: 'Opens the form with the options of this run' };
  const save = { icon: 'save', label: 'Save as Run File...', detail: 'Saves a .tune.json file to edit, share or keep' };
  const answer = await showQuickPick([again, edit, save], { title: `Duplicate ${run.name}` });
  if (answer === again) await startAgain(run);
  else if (answer === edit) await vscode.commands.executeCommand('tunewright.openRunFileInPanel', runFileOf(run));
  else if (answer === save) await saveRunFile(run.config, run);
}

/** Shows why a run that this window started has failed, and offers to fix it. */
async function showFailure(run: FolderRun): Promise<void> {
  const message = run.failureText() ?? 'The training process ended with an error.';
  const edit = 'Edit in Run Panel';
  const show = 'Open Dashboard';
  const anyway = 'Start Anyway';
  const login = 'Set Cluster Token...';
  const answer = await showErrorMessage(
    `${run.name}: ${message}`,
    ...(run.refusedForMemory ? [anyway] : []),
    ...(run.wantsLogin ? [login] : []),
    edit,
    show,
  );
  if (answer === anyway) await vscode.commands.executeCommand('tunewright.startRunAnyway', run.folder);
  if (answer === login) await vscode.commands.executeCommand('tunewright.setClusterToken', addressOf(run.config));
  if (answer === show) await openDashboard([run]);
  if (answer === edit) await vscode.commands.executeCommand('tunewright.openRunFileInPanel', runFileOf(run));
}
