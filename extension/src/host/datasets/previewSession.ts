// One open Dataset Preview: connects its webview's channel to the dataset in the worker, and reads the file again after
// a change. Created by previewEditor.ts; imports no vscode, so that the browser tests can run it.
import { basename } from 'node:path';
import {
  askRow,
  fineTuneFromPreview,
  listPreviewRows,
  openPreview,
  previewChanged,
  readPreviewRow,
  revealRow,
  setPreviewView,
  steerPreview,
  type InitialPreview,
  type PreviewRow,
  type PreviewSummary,
} from '../../protocol/datasetPreviewMessages.js';
import type { WebviewChannel } from '../../protocol/webviewChannel.js';
import { LatestWins } from '../webviews/latestWins.js';
import type { DatasetWorkerClient, OpenDataset } from './datasetWorkerClient.js';
import type { FileEvent } from './fileWatch.js';
import type { DatasetSummary, ReadingSettings, RowView } from './worker/workerMessages.js';

const SEND_INTERVAL_MS = 100;

export interface PreviewSessionOptions {
  path: string;
  /** Shown until the worker has rows. */
  firstRows: readonly PreviewRow[];
  channel: WebviewChannel;
  worker: DatasetWorkerClient;
  reading(): Promise<{ settings: ReadingSettings; readBy: string }>;
  /** Calls `listener` when the file has changed, until the returned function is called. */
  watch(listener: (event: FileEvent) => void): () => void;
  outdatedRuns(): number;
  fineTune(): void;
  ask(row: { prompt: string; system?: string | undefined }): void;
  reveal(line: number): void;
  onFault(error: Error): void;
}

export class PreviewSession {
  private dataset: OpenDataset | null = null;
  private summary: DatasetSummary | null = null;
  private generation = 1;
  private deleted = false;
  private readBy = '';
  private firstRows: readonly PreviewRow[];
  /** Why the worker could not be started. */
  private fault: string | null = null;
  private opening: Promise<void> | null = null;
  private readonly sender = new LatestWins(
    () => this.options.channel.notify(previewChanged, this.shown()),
    SEND_INTERVAL_MS,
  );
  private readonly stopWatching: () => void;

  constructor(private readonly options: PreviewSessionOptions) {
    const { channel } = options;
    this.firstRows = options.firstRows;
    channel.onRequest(openPreview, async () => {
      const opening = this.open();
      if (this.firstRows.length === 0) await opening;
      return this.shown();
    });
    channel.onRequest(setPreviewView, async view => (await this.opened()).ask('view', { view: view as RowView }));
    channel.onRequest(listPreviewRows, async range =>
      this.firstRows.length > 0 ? this.firstRows.slice(range.from, range.to) : (await this.opened()).ask('list', range),
    );
    channel.onRequest(readPreviewRow, async row => (await this.opened()).ask('row', { row }));
    channel.onNotification(steerPreview, command => {
      if (command === 'reload') return this.reload();
      this.opened()
        .then(dataset => dataset.ask(command, {}))
        .catch(options.onFault);
    });
    channel.onNotification(fineTuneFromPreview, () => options.fineTune());
    channel.onNotification(askRow, row => options.ask(row));
    channel.onNotification(revealRow, ({ line }) => options.reveal(line));
    // With first rows to show, the page comes first, since indexing would compete with it for a core.
    if (this.firstRows.length === 0) this.open().catch(() => {});
    this.stopWatching = options.watch(event => {
      this.deleted = event === 'deleted';
      if (this.deleted) this.sender.request();
      else this.reload();
    });
  }

  /**
   * Reads the file again after it, a run file or a setting has changed; rows with the same text are not analysed again.
   */
  reload(): void {
    // A file that hasn't been opened yet will be read then.
    this.opening
      ?.catch(() => {})
      .then(() => this.read())
      .catch(this.options.onFault);
  }

  /** Sends the summary again, after something other than the rows has changed. */
  refresh(): void {
    this.sender.request();
  }

  dispose(): void {
    this.stopWatching();
    this.sender.dispose();
    this.dataset?.dispose();
    this.options.channel.dispose();
  }

  /** Opens the file in the worker, once. */
  private open(): Promise<void> {
    if (!this.opening) {
      this.opening = this.read();
      this.opening.catch((error: Error) => {
        this.fault = error.message;
        this.sender.request();
        this.options.onFault(error);
      });
    }
    return this.opening;
  }

  private async read(): Promise<void> {
    const { path, worker } = this.options;
    const { settings, readBy } = await this.options.reading();
    this.readBy = readBy;
    this.fault = null;
    const source = { kind: 'file', path } as const;
    if (this.dataset) {
      this.generation++;
      return this.dataset.ask('update', { source, settings });
    }
    this.dataset = worker.open(source, settings, summary => {
      this.summary = summary;
      if (hasRows(summary)) this.firstRows = [];
      this.sender.request();
    });
  }

  private async opened(): Promise<OpenDataset> {
    await this.open();
    if (!this.dataset) throw new Error('The dataset could not be opened.');
    return this.dataset;
  }

  private shown(): PreviewSummary {
    const { summary, generation, readBy, deleted, firstRows, fault } = this;
    return {
      ...(summary ?? UNREAD),
      ...(firstRows.length > 0 ? { rows: firstRows.length } : {}),
      error: summary?.error ?? fault,
      problems: { ...summary?.problems },
      phase: deleted ? 'deleted' : (summary?.phase ?? 'indexing'),
      file: basename(this.options.path),
      generation,
      readBy,
      outdatedRuns: this.options.outdatedRuns(),
    };
  }
}

/** Whether the worker can answer for the rows, even if it found none. */
function hasRows(summary: DatasetSummary | null): boolean {
  return summary !== null && (summary.rows > 0 || summary.phase !== 'indexing');
}

/** What the page shows before its first request. */
export function initialPreview(path: string, rows: readonly PreviewRow[]): InitialPreview {
  const about = { file: basename(path), generation: 1, readBy: '', outdatedRuns: 0, problems: {} };
  return { summary: { ...UNREAD, ...about, phase: 'indexing', rows: rows.length }, rows: [...rows] };
}

const UNREAD = {
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
