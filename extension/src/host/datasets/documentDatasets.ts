// The datasets in text editors: each is analysed when it becomes visible and again after an edit, until it is closed.
// CodeLens, hover, decorations, diagnostics and quick fixes read from here; none of them opens a dataset itself.
import * as vscode from 'vscode';
import { fileTypeOf, type ScannedFileType } from '../../core/data/rowFileTypes.js';
import { isSuiteDocument } from '../suites/suiteFiles.js';
import type { HostServices } from '../services.js';
import type { DatasetWorkerClient, OpenDataset } from './datasetWorkerClient.js';
import type { Reading, ReadingSettingsSource } from './readingSettings.js';
import type { DatasetSummary, ProblemRow, RowDetail, RowSummary, SourceDescription } from './worker/workerMessages.js';

/** Pause in typing before the rows are analysed again. */
const EDIT_PAUSE_MS = 300;
/** Limits of the rows with decorations and hovers, and of the problems listed. */
const MAX_SHOWN_ROWS = 200_000;
const MAX_LISTED_PROBLEMS = 1000;

/** Dataset files that VS Code opens as text. */
export const DATASET_SELECTOR: vscode.DocumentSelector = {
  scheme: 'file',
  pattern: '**/*.{jsonl,ndjson,json,csv,tsv}',
};

export function textFileType(uri: vscode.Uri): ScannedFileType | null {
  const isText = uri.scheme === 'file' && !/\.tune\.json$|\.gz$/.test(uri.path);
  const fileType = isText ? fileTypeOf(uri.path) : null;
  return fileType === 'parquet' ? null : fileType;
}

export function isJsonText(uri: vscode.Uri): boolean {
  const fileType = textFileType(uri);
  return fileType === 'json' || fileType === 'jsonl';
}

/** What is known about the dataset in a document of a certain version. */
export interface DocumentDataset {
  uri: vscode.Uri;
  reading: Reading;
  summary: DatasetSummary;
  /** In file order; positions are those of `version`. Empty until the analysis has ended. */
  rows: readonly RowSummary[];
  problems: readonly ProblemRow[];
  version: number;
}

interface Entry {
  document: vscode.TextDocument;
  fileType: ScannedFileType;
  opened: OpenDataset | null;
  shown: DocumentDataset | null;
  reading: Reading | null;
  /** Version of the document under analysis. */
  version: number;
  timer: NodeJS.Timeout | undefined;
}

export class DocumentDatasets implements vscode.Disposable {
  private readonly entries = new Map<string, Entry>();
  private readonly changed = new vscode.EventEmitter<vscode.Uri>();
  private readonly subscriptions: vscode.Disposable[] = [];
  /** What is known about a document has changed, including that it is no longer a dataset. */
  readonly onDidChange = this.changed.event;

  constructor(
    private readonly worker: DatasetWorkerClient,
    private readonly settings: ReadingSettingsSource,
    private readonly output: HostServices['output'],
  ) {
    const { workspace, window } = vscode;
    this.subscriptions.push(
      window.onDidChangeVisibleTextEditors(() => this.openVisible()),
      workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
        if (contentChanges.length > 0) this.schedule(document);
      }),
      workspace.onDidCloseTextDocument(document => this.close(document.uri)),
      workspace.onDidChangeConfiguration(event => {
        if (event.affectsConfiguration('tunewright')) this.refreshAll();
      }),
    );
    this.openVisible();
  }

  /** null while nothing is known yet, and for documents that are not datasets. */
  get(uri: vscode.Uri): DocumentDataset | null {
    const shown = this.entries.get(uri.toString())?.shown;
    return shown?.summary.format ? shown : null;
  }

  /** Everything about a row; null if the document has been edited since. */
  async detail(document: vscode.TextDocument, row: number): Promise<RowDetail | null> {
    const entry = this.entries.get(document.uri.toString());
    if (!entry?.opened || entry.version !== document.version) return null;
    const detail = await entry.opened.ask('row', { row });
    return entry.version === document.version ? detail : null;
  }

  /** Reads all rows again, after a run file or a setting has changed. */
  refreshAll(): void {
    for (const { document } of this.entries.values()) this.schedule(document);
  }

  dispose(): void {
    for (const entry of this.entries.values()) this.end(entry);
    this.entries.clear();
    vscode.Disposable.from(...this.subscriptions, this.changed).dispose();
  }

  private openVisible(): void {
    for (const { document } of vscode.window.visibleTextEditors) {
      const fileType = textFileType(document.uri);
      if (!fileType || this.entries.has(document.uri.toString())) continue;
      const entry: Entry = {
        document,
        fileType,
        opened: null,
        shown: null,
        reading: null,
        version: -1,
        timer: undefined,
      };
      this.entries.set(document.uri.toString(), entry);
      void this.analyse(entry);
    }
  }

  private schedule({ uri }: vscode.TextDocument): void {
    const entry = this.entries.get(uri.toString());
    if (!entry) return;
    clearTimeout(entry.timer);
    entry.timer = setTimeout(() => void this.analyse(entry), EDIT_PAUSE_MS);
  }

  private async analyse(entry: Entry): Promise<void> {
    const { document, fileType } = entry;
    if (isSuiteDocument(document)) {
      entry.shown = null;
      return this.changed.fire(document.uri);
    }
    try {
      const reading = await this.settings.of(document.uri);
      if (!this.isOpen(entry)) return;
      const { version } = document;
      Object.assign(entry, { version, reading });
      const source: SourceDescription = { kind: 'text', text: document.getText(), fileType };
      const { settings } = reading;
      if (entry.opened) await entry.opened.ask('update', { source, settings });
      else entry.opened = this.worker.open(source, settings, summary => this.receive(entry, summary));
      const [rows, problems] = await Promise.all([
        entry.opened.ask('rows', { limit: MAX_SHOWN_ROWS }),
        entry.opened.ask('problems', { limit: MAX_LISTED_PROBLEMS }),
      ]);
      if (!this.isOpen(entry) || entry.version !== version || !entry.shown) return;
      entry.shown = { ...entry.shown, reading, rows, problems, version };
      this.changed.fire(document.uri);
    } catch (error) {
      if (this.isOpen(entry)) this.output.error(`${document.uri.fsPath}: ${(error as Error).message}`);
    }
  }

  private receive(entry: Entry, summary: DatasetSummary): void {
    if (!this.isOpen(entry)) return;
    if (summary.phase === 'failed') this.output.warn(`${entry.document.uri.fsPath}: ${summary.error}`);
    const { document, shown, reading } = entry;
    if (!reading) return;
    const { rows, problems, version } = shown ?? { rows: [], problems: [], version: -1 };
    entry.shown = { uri: document.uri, reading, summary, rows, problems, version };
    this.changed.fire(document.uri);
  }

  private isOpen(entry: Entry): boolean {
    return this.entries.get(entry.document.uri.toString()) === entry;
  }

  private close(uri: vscode.Uri): void {
    const entry = this.entries.get(uri.toString());
    if (!entry) return;
    this.entries.delete(uri.toString());
    this.end(entry);
    this.changed.fire(uri);
  }

  private end(entry: Entry): void {
    clearTimeout(entry.timer);
    entry.opened?.dispose();
  }
}

/** The row at `offset`, by binary search; undefined between rows. */
export function rowAt(rows: readonly RowSummary[], offset: number): RowSummary | undefined {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rows[middle].end < offset) low = middle + 1;
    else high = middle;
  }
  return rows[low] && rows[low].start <= offset ? rows[low] : undefined;
}
