// Registers the dataset features of the extension and creates the worker behind them. Called once by extension.ts.
import { join } from 'node:path';
import * as vscode from 'vscode';
import { fileTypeOf, ROW_FILE_ENDINGS } from '../../core/data/rowFileTypes.js';
import { activeFile } from '../activeFile.js';
import { registerGuarded } from '../commands/guarded.js';
import type { HostServices } from '../services.js';
import { registerCodeLens } from './codeLens.js';
import { ContinuedRuns } from './continuedRuns.js';
import { DatasetWorkerClient, WorkerStoppedError } from './datasetWorkerClient.js';
import { registerDiagnostics } from './diagnostics.js';
import { DocumentDatasets } from './documentDatasets.js';
import { FileWatch } from './fileWatch.js';
import { registerHover } from './hover.js';
import { registerLengthDecorations } from './lengthDecorations.js';
import { registerLargeFileOffer } from './largeFileOffer.js';
import { OutdatedRunMarks, type OutdatedRuns } from './outdatedRuns.js';
import { PREVIEW_VIEW_TYPE, registerPreviewEditor } from './previewEditor.js';
import { raiseMaxLengthOfRun, raisePreviewMaxLength, registerQuickFixes } from './quickFixes.js';
import { ReadingSettingsSource } from './readingSettings.js';
import { RunFileReferences } from './runFileReferences.js';
import { TrainingDataSource } from './trainingData.js';
import { WorkspaceDatasets } from './workspaceDatasets.js';
import { showErrorMessage } from '../window.js';

export interface DatasetParts extends vscode.Disposable {
  outdated: OutdatedRuns;
  /** The datasets of the workspace. */
  found: WorkspaceDatasets;
  /** What is known of a run's datasets before it starts. */
  trainingData: TrainingDataSource;
  /** How files are read, and the worker that reads them. */
  reading: { settings: ReadingSettingsSource; worker: DatasetWorkerClient };
}

export function registerDatasets(services: HostServices): DatasetParts {
  const { context, output, runs } = services;
  const script = join(context.extensionPath, 'dist', 'datasetWorker.cjs');
  const worker = new DatasetWorkerClient(script, error => {
    output.error(error);
    if (!(error instanceof WorkerStoppedError)) return;
    const show = 'Show Output';
    const message = `${error.message}. It starts again with the next edit of the dataset.`;
    void showErrorMessage(message, show).then(answer => {
      if (answer === show) output.show();
    });
  });
  const files = new FileWatch();
  const references = new RunFileReferences();
  const settings = new ReadingSettingsSource(references, context.extensionPath, services.engine);
  const datasets = new DocumentDatasets(worker, settings, output);
  const outdated = new OutdatedRunMarks(runs, worker, files);
  const found = new WorkspaceDatasets(context);
  const trainingData = new TrainingDataSource(worker, settings, files);
  const continued = continueRuns(services, worker, files);
  const readingChanged = new vscode.EventEmitter<void>();

  const parts = vscode.Disposable.from(
    references.onDidChange(() => {
      datasets.refreshAll();
      readingChanged.fire();
    }),
    vscode.workspace.onDidChangeConfiguration(event => {
      if (event.affectsConfiguration('tunewright.previewModel') || event.affectsConfiguration('tunewright.preview'))
        readingChanged.fire();
    }),
    registerCodeLens(datasets, outdated),
    registerHover(datasets),
    registerLengthDecorations(datasets),
    registerDiagnostics(datasets),
    registerQuickFixes(datasets),
    registerPreviewEditor({ services, worker, settings, files, outdated, onDidChangeReading: readingChanged.event }),
    registerLargeFileOffer(),
    registerCommands(services.output),
    registerContextKey(datasets),
    { dispose: () => void files.close() },
    ...[found, readingChanged, continued, outdated, datasets, references, worker],
  );
  return { outdated, found, trainingData, reading: { settings, worker }, dispose: () => parts.dispose() };
}

function continueRuns({ runs, output }: HostServices, worker: DatasetWorkerClient, files: FileWatch): ContinuedRuns {
  const { workspace } = vscode;
  return new ContinuedRuns({
    runs,
    files,
    hash: path => worker.request('hash', { path }),
    isTrusted: () => workspace.isTrusted,
    isDirty: path => workspace.textDocuments.some(({ isDirty, uri }) => isDirty && uri.fsPath === path),
    start: (runFile, beside) => runs.start(runFile, workspace.getWorkspaceFolder(vscode.Uri.file(beside.folder))),
    log: message => output.info(message),
    onFault(path, error) {
      if (error instanceof vscode.CancellationError) return;
      output.error(`Continuing training after a change of ${path}: ${error.stack ?? error.message}`);
      const file = workspace.asRelativePath(path);
      const show = 'Show Output';
      const message = `${file} has changed, but training could not be continued: ${error.message}`;
      void showErrorMessage(message, show).then(answer => {
        if (answer === show) output.show();
      });
    },
  });
}

function registerCommands(output: vscode.LogOutputChannel): vscode.Disposable {
  const { registerCommand } = vscode.commands;
  return vscode.Disposable.from(
    registerCommand('tunewright.previewDataset', async (target?: vscode.Uri) => {
      const uri = target ?? activeDataset() ?? (await askForDataset());
      if (uri) await vscode.commands.executeCommand('vscode.openWith', uri, PREVIEW_VIEW_TYPE);
    }),
    // For quick fixes only, so not in the palette.
    registerGuarded(output, 'tunewright.raiseMaxLengthOfRun', (uri, tokens) =>
      raiseMaxLengthOfRun(uri as vscode.Uri, tokens as number),
    ),
    registerGuarded(output, 'tunewright.raisePreviewMaxLength', (uri, tokens) =>
      raisePreviewMaxLength(uri as vscode.Uri, tokens as number),
    ),
  );
}

function activeDataset(): vscode.Uri | null {
  const uri = activeFile();
  return uri && fileTypeOf(uri.fsPath) ? uri : null;
}

async function askForDataset(): Promise<vscode.Uri | null> {
  const filters = { Datasets: [...ROW_FILE_ENDINGS] };
  const chosen = await vscode.window.showOpenDialog({ title: 'Preview Dataset', openLabel: 'Preview', filters });
  return chosen?.[0] ?? null;
}

/** Sets `tunewright.isDataset`: whether the active editor shows a dataset. */
function registerContextKey(datasets: DocumentDatasets): vscode.Disposable {
  let last: boolean | undefined;
  const set = () => {
    const uri = vscode.window.activeTextEditor?.document.uri;
    const isDataset = uri !== undefined && datasets.get(uri) !== null;
    if (isDataset !== last) void vscode.commands.executeCommand('setContext', 'tunewright.isDataset', isDataset);
    last = isDataset;
  };
  return vscode.Disposable.from(datasets.onDidChange(set), vscode.window.onDidChangeActiveTextEditor(set));
}
