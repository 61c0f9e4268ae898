// The custom editor "Dataset Preview": gives each file that is opened with it a session and a page. Parquet files, which no text
// editor shows, open in it by themselves.
import * as vscode from 'vscode';
import { fileTypeOf } from '../../core/data/rowFileTypes.js';
import type { HostServices } from '../services.js';
import { webviewChannelOf } from '../webviews/webviewChannelOf.js';
import type { DatasetWorkerClient } from './datasetWorkerClient.js';
import type { FileWatch } from './fileWatch.js';
import { previewFirstRows } from './firstRows.js';
import type { OutdatedRuns } from './outdatedRuns.js';
import { initialPreview, PreviewSession } from './previewSession.js';
import type { Reading, ReadingSettingsSource } from './readingSettings.js';

export const previewViewType = 'tunewright.datasetPreview';
/** The same editor under another name: one name has one priority for all its patterns. */
const parquetViewType = 'tunewright.parquetPreview';

export interface PreviewParts {
  services: HostServices;
  worker: DatasetWorkerClient;
  settings: ReadingSettingsSource;
  files: FileWatch;
  outdated: OutdatedRuns;
  /** Something that the reading of rows goes by has changed. */
  onDidChangeReading: vscode.Event<void>;
}

export function registerPreviewEditor(parts: PreviewParts): vscode.Disposable {
  const provider: vscode.CustomReadonlyEditorProvider = {
    openCustomDocument: uri => ({ uri, dispose: () => {} }),
    resolveCustomEditor: ({ uri }, panel) => open(uri, panel, parts),
  };
  return vscode.Disposable.from(
    ...[previewViewType, parquetViewType].map(viewType =>
      vscode.window.registerCustomEditorProvider(viewType, provider, { supportsMultipleEditorsPerDocument: true }),
    ),
  );
}

async function open(
  uri: vscode.Uri,
  { webview, onDidDispose }: vscode.WebviewPanel,
  parts: PreviewParts,
): Promise<void> {
  const { services, worker, settings, files, outdated } = parts;
  const fault = (message: string) => services.output.error(`Dataset Preview: ${message}`);
  if (!fileTypeOf(uri.fsPath)) throw new Error(`${uri.fsPath} is no dataset file`);
  const firstRows = await previewFirstRows(uri.fsPath);
  const initial = firstRows.length > 0 ? initialPreview(uri.fsPath, firstRows) : undefined;
  const channel = webviewChannelOf(webview, { name: 'datasetPreview', title: 'Dataset Preview', initial }, services);
  const session = new PreviewSession({
    path: uri.fsPath,
    firstRows,
    channel,
    worker,
    reading: async () => {
      const reading = await settings.of(uri);
      return { settings: reading.settings, readBy: describeReading(reading) };
    },
    watch: listener => files.add(uri.fsPath, listener),
    outdatedRuns: () => outdated.trainedOnOlder(uri.fsPath).length,
    fineTune: () => void vscode.commands.executeCommand('tunewright.fineTuneWithDataset', uri),
    reveal: line => void revealLine(uri, line),
    onFault: error => fault(error.message),
  });
  const subscriptions = [
    parts.onDidChangeReading(() => session.reload()),
    outdated.onDidChange(() => session.refresh()),
    onDidDispose(() => {
      session.dispose();
      vscode.Disposable.from(...subscriptions).dispose();
    }),
  ];
}

function describeReading({ runFile, model, missingModel, settings }: Reading): string {
  const by = runFile ? `Read as the run file ${runFile.name} says` : `max_length ${settings.maxLength} (settings)`;
  return missingModel
    ? `${by}; counted with ${model}: the tokenizer of ${missingModel} is not here`
    : `${by}; tokens of ${model}`;
}

async function revealLine(uri: vscode.Uri, line: number): Promise<void> {
  const position = new vscode.Position(line - 1, 0);
  const selection = new vscode.Range(position, position);
  await vscode.commands.executeCommand('vscode.openWith', uri, 'default', { selection, preview: true });
}
