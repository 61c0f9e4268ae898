// The custom editor "Dataset Preview": creates a session and a page for each file opened with it. It is the default
// editor of Parquet files, which are not text.
import * as vscode from 'vscode';
import { fileTypeOf } from '../../core/data/rowFileTypes.js';
import type { HostServices } from '../services.js';
import { stepDone } from '../walkthrough.js';
import { webviewChannelOf } from '../webviews/webviewChannelOf.js';
import type { DatasetWorkerClient } from './datasetWorkerClient.js';
import type { FileWatch } from './fileWatch.js';
import { previewFirstRows } from './firstRows.js';
import type { OutdatedRuns } from './outdatedRuns.js';
import { initialPreview, PreviewSession } from './previewSession.js';
import { describeReading, type ReadingSettingsSource } from './readingSettings.js';

export const PREVIEW_VIEW_TYPE = 'tunewright.datasetPreview';
/** The same editor under another name, since all patterns of a name share its priority. */
const PARQUET_VIEW_TYPE = 'tunewright.parquetPreview';

export interface PreviewParts {
  services: HostServices;
  worker: DatasetWorkerClient;
  settings: ReadingSettingsSource;
  files: FileWatch;
  outdated: OutdatedRuns;
  /** Something has changed that affects how rows are read. */
  onDidChangeReading: vscode.Event<void>;
}

export function registerPreviewEditor(parts: PreviewParts): vscode.Disposable {
  const provider: vscode.CustomReadonlyEditorProvider = {
    openCustomDocument: uri => ({ uri, dispose: () => {} }),
    resolveCustomEditor: ({ uri }, panel) => open(uri, panel, parts),
  };
  return vscode.Disposable.from(
    ...[PREVIEW_VIEW_TYPE, PARQUET_VIEW_TYPE].map(viewType =>
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
  if (!fileTypeOf(uri.fsPath)) throw new Error(`${uri.fsPath} is not a dataset file`);
  stepDone('dataset');
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
    ask: row => void vscode.commands.executeCommand('tunewright.askRowInPlayground', uri, row),
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

async function revealLine(uri: vscode.Uri, line: number): Promise<void> {
  const position = new vscode.Position(line - 1, 0);
  const selection = new vscode.Range(position, position);
  await vscode.commands.executeCommand('vscode.openWith', uri, 'default', { selection, preview: true });
}
