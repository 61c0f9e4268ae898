// The models that the tests of a suite ask: its base, and the results and checkpoints of runs that the user has chosen.
// docs/decisions/0044-evaluation-suites.md says which base belongs to a suite.
import { dirname, join } from 'node:path';
import * as vscode from 'vscode';
import { baseName } from '../../core/evaluation/baseName.js';
import { EMBEDDED_MODEL_ID } from '../../core/runs/proposeRun.js';
import { block } from '../../core/runs/runFileKeys.js';
import { distinctName, distinctions } from '../../core/runs/runLabels.js';
import { count } from '../../core/units.js';
import type { RunModel } from '../../protocol/answers.js';
import { sessionOptionsSchema, type SessionSettings, type SuiteQuestions } from '../../protocol/sessionMessages.js';
import { checkpointSteps, runFolderFiles } from '../runs/runFolderFiles.js';
import { isWholeModel, resultOf } from '../runs/runResult.js';
import { settingsOfRun } from '../runs/runSettings.js';
import type { Run } from '../services.js';
import { showQuickPick, type PickItem } from '../window.js';

export interface TestedModel {
  name: string;
  settings: SessionSettings;
  /** Folder of the adapter that answers; null: the model alone. */
  adapter: string | null;
  /** Folders of the runs whose base, result or checkpoint it is. */
  runs: readonly string[];
  kind: RunModel['kind'];
  /** Of a checkpoint. */
  step: number | null;
}

/** Where the engine keeps the report of all rows, and under which name (engine/runFolder/keptReports.ts). */
export function keptAt({ settings, runs, kind, step }: TestedModel): Pick<SuiteQuestions, 'keep_in' | 'keep_as'> {
  if (kind !== 'base') return { keep_in: [...runs], keep_as: step === null ? 'result' : `step ${step}` };
  return { keep_in: [...new Set(runs.map(folder => dirname(folder)))], keep_as: baseName(settings) };
}

/** A result of a run, or a checkpoint, as it is remembered. */
export interface Choice {
  /** Folder. */
  run: string;
  /** Null: the result. */
  step: number | null;
}

/** The base of a suite: that of a run that names it, else of a chosen run, else the model of previews. */
export function baseOf(suite: string, runs: readonly Run[], chosen: readonly Choice[]): TestedModel {
  const run = runs.find(each => namesSuite(each, suite)) ?? runs.find(each => chosen.some(c => c.run === each.folder));
  const settings = (run && settingsOfRun(run)) ?? previewModel(suite);
  const name = baseName(settings);
  const same = runs.filter(each => nameOfBase(each) === name);
  return {
    ...{ name: `base (${settings.model})`, settings, adapter: null },
    ...{ runs: same.map(({ folder }) => folder), kind: 'base', step: null },
  };
}

function nameOfBase(run: Run): string | null {
  const settings = settingsOfRun(run);
  return settings && baseName(settings);
}

function namesSuite({ config }: Run, suite: string): boolean {
  const { suites } = block(config as Record<string, unknown>, 'dataset');
  return Array.isArray(suites) && suites.includes(suite);
}

function previewModel(suite: string): SessionSettings {
  const uri = vscode.Uri.file(suite);
  const folder = vscode.workspace.getWorkspaceFolder(uri)?.uri.fsPath ?? dirname(suite);
  const model = vscode.workspace.getConfiguration('tunewright', uri).get<string>('previewModel') || EMBEDDED_MODEL_ID;
  return sessionOptionsSchema.parse({ model, folder });
}

/** Null if the run or what it has written is gone. */
export function chosenModel({ run: folder, step }: Choice, runs: readonly Run[]): TestedModel | null {
  const run = runs.find(each => each.folder === folder);
  const settings = run && settingsOfRun(run);
  if (!settings) return null;
  const name = distinctName(run, distinctions(runs));
  if (step !== null) {
    const { checkpoints } = runFolderFiles(folder);
    if (!checkpointSteps(checkpoints).includes(step)) return null;
    const adapter = join(checkpoints, `step-${step}`);
    return { name: `${name}, step ${count(step)}`, settings, adapter, runs: [folder], kind: 'checkpoint', step };
  }
  const result = resultOf(run);
  if (result === null) return null;
  const own = { name, runs: [folder], kind: 'result', step: null } as const;
  return isWholeModel(result)
    ? { ...own, settings: { ...settings, model: result }, adapter: null }
    : { ...own, settings, adapter: result };
}

/** Results and checkpoints of these runs, the latest of each first. */
export function modelItems(runs: readonly Run[]): (PickItem & { choice: Choice })[] {
  const choices = runs.flatMap(({ folder }): Choice[] => [
    { run: folder, step: null },
    ...checkpointSteps(runFolderFiles(folder).checkpoints)
      .toReversed()
      .map(step => ({ run: folder, step })),
  ]);
  return choices.flatMap(choice => {
    const model = chosenModel(choice, runs);
    if (model === null) return [];
    const icon = choice.step === null ? 'extensions' : 'history';
    return [{ icon, label: model.name, description: model.settings.model, choice }];
  });
}

export const NO_MODELS = 'No run of this workspace has a result or a checkpoint yet';

/** Asks which results and checkpoints answer; undefined if the user chose none. */
export async function pickTested(
  runs: readonly Run[],
  chosen: readonly Choice[],
): Promise<readonly Choice[] | undefined> {
  const items = modelItems(runs).map(item => ({
    ...item,
    picked: chosen.some(({ run, step }) => run === item.choice.run && step === item.choice.step),
  }));
  const answer = await showQuickPick(items, {
    title: 'Evaluate Results and Checkpoints',
    placeHolder: items.length === 0 ? NO_MODELS : 'Choose what answers',
    canPickMany: true,
  });
  return answer && answer.length > 0 ? answer.map(({ choice }) => choice) : undefined;
}
