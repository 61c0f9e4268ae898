// One open Dataset Preview: joins its webview's channel with the dataset in the worker, and reads the file again when it has
// changed. Made by previewEditor.ts; imports no vscode, so that the browser tests run the very same session.
import { basename } from 'node:path';
import {
  fineTuneFromPreview,
  listPreviewRows,
  openPreview,
  previewChanged,
  readPreviewRow,
  revealRow,
  setPreviewView,
  steerPreview,
  type PreviewSummary,
} from '../../protocol/datasetPreviewMessages.js';
import type { WebviewChannel } from '../../protocol/webviewChannel.js';
import { LatestWins } from '../webviews/latestWins.js';
import type { DatasetWorkerClient, OpenDataset } from './datasetWorkerClient.js';
import type { FileEvent } from './fileWatch.js';
import type { DatasetFileType, DatasetSummary, ReadingSettings, RowView } from './worker/workerMessages.js';

const sendMs = 100;

export interface PreviewSessionOptions {
  path: string;
  fileType: DatasetFileType;
  channel: WebviewChannel;
  worker: DatasetWorkerClient;
  reading(): Promise<{ settings: ReadingSettings; readBy: string }>;
  /** Calls back when the file has changed, until the returned function is called. */
  watch(listener: (event: FileEvent) => void): () => void;
  outdatedRuns(): number;
  fineTune(): void;
  reveal(line: number): void;
  onFault(error: Error): void;
}

export class PreviewSession {
  private dataset: OpenDataset | null = null;
  private summary: DatasetSummary | null = null;
  private generation = 0;
  private deleted = false;
  private readBy = '';
  private readonly opening: Promise<void>;
  private readonly sender = new LatestWins(() => this.options.channel.notify(previewChanged, this.shown()), sendMs);
  private readonly stopWatching: () => void;

  constructor(private readonly options: PreviewSessionOptions) {
    const { channel } = options;
    channel.onRequest(openPreview, async () => {
      await this.opening;
      return this.shown();
    });
    channel.onRequest(setPreviewView, async view => (await this.opened()).ask('view', { view: view as RowView }));
    channel.onRequest(listPreviewRows, async range => (await this.opened()).ask('list', range));
    channel.onRequest(readPreviewRow, async row => (await this.opened()).ask('row', { row }));
    channel.onNotification(steerPreview, command => {
      if (command === 'reload') return this.reload();
      this.opened()
        .then(dataset => dataset.ask(command, {}))
        .catch(options.onFault);
    });
    channel.onNotification(fineTuneFromPreview, () => options.fineTune());
    channel.onNotification(revealRow, ({ line }) => options.reveal(line));
    this.opening = this.read();
    this.opening.catch(options.onFault);
    this.stopWatching = options.watch(event => {
      this.deleted = event === 'deleted';
      if (this.deleted) this.sender.request();
      else this.reload();
    });
  }

  /** The file, a run file or a setting has changed; rows whose text is the same are not looked at again. */
  reload(): void {
    this.read().catch(this.options.onFault);
  }

  /** Something beside the rows has changed. */
  refresh(): void {
    this.sender.request();
  }

  dispose(): void {
    this.stopWatching();
    this.sender.dispose();
    this.dataset?.dispose();
    this.options.channel.dispose();
  }

  private async read(): Promise<void> {
    const { path, fileType, worker } = this.options;
    const { settings, readBy } = await this.options.reading();
    this.readBy = readBy;
    this.generation++;
    const source = { kind: 'file', path, fileType } as const;
    if (this.dataset) return this.dataset.ask('update', { source, settings });
    this.dataset = worker.open(source, settings, summary => {
      this.summary = summary;
      this.sender.request();
    });
  }

  private async opened(): Promise<OpenDataset> {
    await this.opening;
    if (!this.dataset) throw new Error('The dataset could not be opened.');
    return this.dataset;
  }

  private shown(): PreviewSummary {
    const { summary, generation, readBy, deleted } = this;
    return {
      ...(summary ?? unread),
      problems: { ...summary?.problems },
      phase: deleted ? 'deleted' : (summary?.phase ?? 'indexing'),
      file: basename(this.options.path),
      generation,
      readBy,
      outdatedRuns: this.options.outdatedRuns(),
    };
  }
}

const unread = {
  share: 0,
  error: null,
  format: null,
  rows: 0,
  countedRows: 0,
  exact: false,
  tokens: 0,
  labelShare: 0,
  longest: 0,
  median: 0,
  maxLength: 0,
  histogram: [],
};
