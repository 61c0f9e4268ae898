// Commands that start a run from scratch, from a dataset, a model, an adapter or a run file; and the one that estimates
// a run.
import * as vscode from 'vscode';
import { baselineOf } from '../../core/metrics/comparedWith.js';
import { estimatedTime } from '../../core/metrics/estimatedTime.js';
import { bytes, count, percent } from '../../core/units.js';
import type { FolderRun } from '../runs/folderRun.js';
import { furtherName, furtherRunFile } from '../runs/furtherRun.js';
import { resultOf } from '../runs/runResult.js';
import type { FolderRunService } from '../runs/runService.js';
import type { EstimateAnswer } from '../../protocol/answers.js';
import type { EngineService } from '../services.js';
import type { ModelElement } from '../views/modelsTree.js';
import { pullableModel } from '../engineProcess/engineAnswers.js';
import { atChosenPlace } from '../clusters/choosePlace.js';
import type { Clusters } from '../clusters/clusters.js';
import { registerGuarded } from './guarded.js';
import { pickRun } from './pickRun.js';
import type { KnownMethods } from '../runFiles/knownMethods.js';
import { readRunDocument } from '../runFiles/runDocument.js';
import { saveRunFile } from '../runFiles/saveRunFile.js';
import type { RunDrafter } from './runDraft.js';
import type { ProposedRun } from '../../core/runs/proposeRun.js';
import { activeFile } from '../activeFile.js';
import { showInformationMessage, showQuickPick, showWarningMessage, withProgress } from '../window.js';

export function registerFineTuneCommands(
  engine: EngineService,
  runs: FolderRunService,
  clusters: Clusters,
  output: vscode.LogOutputChannel,
  drafter: RunDrafter,
  methods: KnownMethods,
): vscode.Disposable {
  /** A new run, where the user chooses. */
  const startAt: Start = async (config, title, folder) =>
    start(await atChosenPlace(config, clusters, title), runs, folder);
  const fineTune = async (given: { model?: string; dataset?: string }) => {
    // Fails in Restricted Mode before the first question, not after the last.
    await engine.capabilities();
    const draft = await drafter.draft(given);
    return draft && decide(draft, startAt, methods.titleOf(draft.method.peft_type));
  };
  return vscode.Disposable.from(
    registerGuarded(output, 'tunewright.fineTune', () => fineTune({})),
    registerGuarded(output, 'tunewright.fineTuneWithDataset', uri => fineTune({ dataset: fileOf(uri) })),
    registerGuarded(output, 'tunewright.fineTuneModel', element => fineTune({ model: (element as ModelElement)?.id })),
    registerGuarded(output, 'tunewright.trainFurther', async argument => {
      const run = await pickRun(runs, argument, 'Train Further', each => resultOf(each) !== null);
      return run && trainFurther(run, drafter, runs, startAt);
    }),
    registerGuarded(output, 'tunewright.startRunFile', async uri => {
      const file = await pickRunFile('Start Run from File', uri);
      const folder = file && vscode.workspace.getWorkspaceFolder(file);
      return file && startAt(await readRunDocument(file), 'Start Run from File', folder);
    }),
    registerGuarded(output, 'tunewright.estimate', async uri => {
      const file = await pickRunFile('Estimate Memory and Parameters', uri);
      return file && showEstimate(engine, file, methods);
    }),
  );
}

/** @returns the run's folder @throws vscode.CancellationError */
type Start = (config: object, title: string, folder?: vscode.WorkspaceFolder) => Promise<string>;

async function decide(draft: ProposedRun, startAt: Start, method: string): Promise<unknown> {
  const begin = { icon: 'play', label: 'Start Fine-Tuning', detail: 'Starts training and opens the dashboard' };
  const edit = { icon: 'settings', label: 'Edit in Run Panel', detail: 'Opens a form with all options of the run' };
  const save = { icon: 'save', label: 'Save as Run File...', detail: 'Saves a .tune.json file to edit, share or keep' };
  const answer = await showQuickPick([begin, edit, save], {
    title: `Fine-Tune a Model (4/4): ${draft.name}, ${method} on ${draft.model}`,
  });
  if (answer === begin) return startAt(draft, 'Fine-Tune a Model: Where to Run');
  if (answer === edit) return vscode.commands.executeCommand('tunewright.editDraftInPanel', draft);
  return answer === save ? saveRunFile(draft, draft) : undefined;
}

/** @returns the run's folder */
async function start(config: object, runs: FolderRunService, folder?: vscode.WorkspaceFolder): Promise<string> {
  const run = await runs.start(config, folder);
  await vscode.commands.executeCommand('tunewright.openDashboard', run);
  return run.folder;
}

/** A new run that starts from the run's result, on a dataset of the user's choice. */
async function trainFurther(
  run: FolderRun,
  drafter: RunDrafter,
  runs: FolderRunService,
  startAt: Start,
): Promise<string | undefined> {
  const result = resultOf(run);
  const train = result && (await drafter.pickDataset(`Train ${run.name} Further: Dataset`));
  if (!train) return undefined;
  const name = furtherName(
    run.name,
    runs.runs().map(each => each.name),
  );
  const runFile = furtherRunFile(run, result, name);
  // Another dataset may have another format; length and labels are handled as before.
  const { format: _, columns: __, validation, ...reading } = runFile.dataset;
  const held = typeof validation === 'number' ? { validation } : {};
  return startAt({ ...runFile, dataset: { ...reading, ...held, train } }, `Train ${run.name} Further: Where to Run`);
}

function fileOf(uri: unknown): string | undefined {
  const target = uri instanceof vscode.Uri ? uri : activeFile();
  return target?.scheme === 'file' ? target.fsPath : undefined;
}

/**
 * The command's argument, the file in the active editor, or the user's choice in the workspace or, if that has none,
 * anywhere.
 */
async function pickRunFile(title: string, uri: unknown): Promise<vscode.Uri | undefined> {
  if (uri instanceof vscode.Uri) return uri;
  const active = activeFile();
  if (active?.path.endsWith('.tune.json')) return active;
  const found = await vscode.workspace.findFiles('**/*.tune.json', '**/node_modules/**', 100);
  if (found.length === 0) {
    const filters = { 'Run files': ['json'] };
    return (await vscode.window.showOpenDialog({ title: `${title}: no run file in this workspace`, filters }))?.[0];
  }
  if (found.length === 1) return found[0];
  const picked = await showQuickPick(
    found
      .map(file => ({ label: vscode.workspace.asRelativePath(file), file }))
      .sort((a, b) => (a.label < b.label ? -1 : 1)),
    { title, placeHolder: 'Choose a run file' },
  );
  return picked?.file;
}

/** A missing model can't be estimated, and is only downloaded if the user wants that. */
async function estimateOrPull(engine: EngineService, file: vscode.Uri): Promise<EstimateAnswer | undefined> {
  const options = { location: vscode.ProgressLocation.Window, title: 'Estimating memory and parameters' };
  const runFile = await readRunDocument(file);
  const ask = (progress: vscode.Progress<{ message: string }>) =>
    engine.estimate(runFile, file.fsPath, {
      onProgress: ({ done, total }) => progress.report({ message: `${done + 1} of ${total} methods` }),
    });
  try {
    return await withProgress(options, ask);
  } catch (error) {
    const model = pullableModel(error);
    if (model === null) throw error;
    const pull = 'Pull Model';
    const message = `${model} is not on this machine, so there is no estimate.`;
    if ((await showWarningMessage(message, pull)) !== pull) return undefined;
    const pulled = await vscode.commands.executeCommand('tunewright.pullModel', model);
    return pulled === undefined ? undefined : withProgress(options, ask);
  }
}

async function showEstimate(engine: EngineService, file: vscode.Uri, methods: KnownMethods): Promise<void> {
  const estimate = await estimateOrPull(engine, file);
  if (!estimate) return;
  const { run, available_bytes: available } = estimate;
  const full = baselineOf(estimate);
  const time = estimatedTime(estimate);
  const details = [
    `${count(run.trainable_parameters)} of ${count(run.total_parameters)} parameters are trained (${percent(run.trainable_parameters / run.total_parameters)}).`,
    available === null
      ? `A step takes about ${bytes(run.memory.total)} of memory ${estimate.workers === 1 ? 'in its worker' : `in each of its ${estimate.workers} workers`} on the cluster.`
      : `A step takes about ${bytes(run.memory.total)} of memory; ${bytes(available)} is free on this machine.`,
    ...(full && full !== run ? [`${methods.titleOf(full.peft_type)} would take ${bytes(full.memory.total)}.`] : []),
    ...(time ? [`${time}.`] : []),
  ];
  const begin = 'Start Run';
  const answer = await showInformationMessage(
    `${methods.titleOf(run.peft_type)} for ${vscode.workspace.asRelativePath(file)}`,
    { modal: true, detail: details.join('\n') },
    begin,
  );
  if (answer === begin) await vscode.commands.executeCommand('tunewright.startRunFile', file);
}
