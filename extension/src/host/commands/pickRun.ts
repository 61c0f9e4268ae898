// Which run a command is for: the one it was called with (a tree element, a folder), the only one there is, or a choice.
import * as vscode from 'vscode';
import type { FolderRun } from '../runs/folderRun.js';
import type { FolderRunService } from '../runs/runService.js';
import { phaseLabels } from '../../core/runs/runStatus.js';
import { phaseIcons } from '../views/runsTree.js';
import { tellBriefly } from './tellBriefly.js';

/** @returns undefined where the user chose none, or there is none to choose */
export async function pickRun(
  runs: FolderRunService,
  argument: unknown,
  title: string,
  fits: (run: FolderRun) => boolean,
): Promise<FolderRun | undefined> {
  const named = runOf(runs, argument);
  if (named) return named;
  const candidates = runs.runs().filter(fits);
  if (candidates.length === 0) {
    // Links and keys get here where the palette wouldn't. The view says what there is, or how to begin.
    tellBriefly(`$(info) ${title}: there is no such run in this workspace`);
    await vscode.commands.executeCommand('tunewright.runs.focus');
    return undefined;
  }
  if (candidates.length === 1) return candidates[0];
  const picked = await vscode.window.showQuickPick(candidates.map(runChoice), {
    title,
    placeHolder: 'Which run?',
    matchOnDetail: true,
  });
  return picked?.run;
}

export async function pickRuns(runs: FolderRunService, title: string): Promise<FolderRun[] | undefined> {
  const picked = await vscode.window.showQuickPick(runs.runs().map(runChoice), {
    title,
    placeHolder: 'Which runs?',
    matchOnDetail: true,
    canPickMany: true,
  });
  return picked?.map(({ run }) => run);
}

function runChoice(run: FolderRun): vscode.QuickPickItem & { run: FolderRun } {
  const { icon } = phaseIcons[run.phase];
  const label = phaseLabels[run.phase];
  return { label: `$(${icon}) ${run.name}`, description: label, detail: run.folder, run };
}

export function runOf(runs: FolderRunService, argument: unknown): FolderRun | undefined {
  if (typeof argument === 'string') return runs.get(argument);
  const { folder, run } = (argument ?? {}) as { folder?: unknown; run?: { folder?: unknown } };
  const named = folder ?? run?.folder;
  return typeof named === 'string' ? runs.get(named) : undefined;
}
