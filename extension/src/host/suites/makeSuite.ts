// Make an Evaluation from This Dataset: a suite of rows that aren't trained on, by `tunewright suite`, opened to be edited.
import { basename, dirname, join } from 'node:path';
import * as vscode from 'vscode';
import { SUITE_EXTENSION } from '../../core/evaluation/isSuiteRow.js';
import { extensionOf } from '../../core/data/rowFileTypes.js';
import { block } from '../../core/runs/runFileKeys.js';
import { distinctName, distinctions } from '../../core/runs/runLabels.js';
import { counted } from '../../core/units.js';
import type { EngineService, Run, RunService } from '../services.js';
import { showQuickPick, tellBriefly, type PickItem } from '../window.js';

/** The answer of `suite --json`. */
interface MadeSuite {
  file: string;
  rows: number;
  repeated: number;
  unanswered: number;
}

/** @param dataset path */
export async function makeSuite(
  dataset: string,
  engine: Pick<EngineService, 'json'>,
  runs: Pick<RunService, 'runs'>,
): Promise<void> {
  const source = await pickSource(dataset, runs.runs());
  if (!source) return;
  const name = `${basename(dataset).slice(0, -extensionOf(dataset).length)}${SUITE_EXTENSION}`;
  const target = await vscode.window.showSaveDialog({
    title: 'Make an Evaluation',
    saveLabel: 'Make Evaluation',
    defaultUri: vscode.Uri.file(join(dirname(dataset), name)),
    filters: { 'Evaluation Suites': [SUITE_EXTENSION.slice(1)] },
  });
  if (!target) return;
  // The dialog has confirmed overwriting.
  const made = await engine.json<MadeSuite>(['suite', ...source, '--force', '--out', target.fsPath]);
  const left = made.repeated + made.unanswered;
  tellBriefly('beaker', `${counted(made.rows, 'row')}${left > 0 ? `, ${left} left out` : ''}`);
  await vscode.window.showTextDocument(vscode.Uri.file(made.file));
}

/** Arguments of `suite` that say which rows; those that a run of this dataset holds out, if there is one. */
async function pickSource(dataset: string, runs: readonly Run[]): Promise<string[] | undefined> {
  const trained = runs.filter(({ config }) => block(config as Record<string, unknown>, 'dataset')['train'] === dataset);
  const ofDataset = ['--dataset', dataset];
  if (trained.length === 0) return ofDataset;
  const known = distinctions(runs);
  const items: (PickItem & { source: string[] })[] = [
    ...trained.map(run => ({
      icon: 'extensions',
      label: distinctName(run, known),
      description: 'the rows that this run holds out',
      source: ['--run', run.folder],
    })),
    {
      icon: 'database',
      label: 'A tenth of the dataset',
      description: 'the rows that a run with the default share and seed holds out',
      source: ofDataset,
    },
  ];
  const picked = await showQuickPick(items, {
    title: 'Make an Evaluation',
    placeHolder: 'Of which rows? A model can’t be evaluated on rows that it was trained on',
  });
  return picked?.source;
}
