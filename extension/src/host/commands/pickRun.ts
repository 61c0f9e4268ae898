// The run that a command applies to: its argument (a tree element, a folder), the only candidate, or the user's choice.
import * as vscode from 'vscode';
import type { FolderRun } from '../runs/folderRun.js';
import type { FolderRunService } from '../runs/runService.js';
import { distinctions, distinctionText, type Distinction } from '../../core/runs/runLabels.js';
import { longFigure, PHASE_LABELS, runFigure } from '../../core/runs/runStatus.js';
import { PHASE_ICONS } from '../views/runsTree.js';
import { showQuickPick, tellBriefly, type PickItem } from '../window.js';

/** @returns undefined if the user chose none, or there is no candidate */
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
    // Links and key bindings get here even if the palette hides the command. The view shows which runs exist.
    tellBriefly('info', `${title}: no matching run in this workspace`);
    await vscode.commands.executeCommand('tunewright.runs.focus');
    return undefined;
  }
  if (candidates.length === 1) return candidates[0];
  const picked = await showQuickPick(runChoices(candidates, runs), {
    title,
    placeHolder: 'Choose a run',
    matchOnDetail: true,
  });
  return picked?.run;
}

export async function pickRuns(
  runs: FolderRunService,
  title: string,
  fits: (run: FolderRun) => boolean = () => true,
): Promise<FolderRun[] | undefined> {
  const picked = await showQuickPick(runChoices(runs.runs().filter(fits), runs), {
    title,
    placeHolder: 'Choose runs',
    matchOnDetail: true,
    canPickMany: true,
  });
  return picked?.map(({ run }) => run);
}

function runChoices(chosen: readonly FolderRun[], runs: FolderRunService): RunChoice[] {
  const known = distinctions(runs.runs());
  return chosen.map(run => runChoice(run, known.get(run.folder)));
}

interface RunChoice extends PickItem {
  run: FolderRun;
}

function runChoice(run: FolderRun, distinction: Distinction | undefined): RunChoice {
  const { icon } = PHASE_ICONS[run.phase];
  const loss = runFigure(run.glance());
  const description = [
    distinction ? distinctionText(distinction) : '',
    PHASE_LABELS[run.phase],
    loss ? longFigure(loss) : '',
  ];
  return {
    icon,
    label: run.name,
    description: description.filter(Boolean).join(' · '),
    detail: run.folder,
    run,
  };
}

export function runOf(runs: FolderRunService, argument: unknown): FolderRun | undefined {
  if (typeof argument === 'string') return runs.get(argument);
  const { folder, run } = (argument ?? {}) as { folder?: unknown; run?: { folder?: unknown } };
  const named = folder ?? run?.folder;
  return typeof named === 'string' ? runs.get(named) : undefined;
}
