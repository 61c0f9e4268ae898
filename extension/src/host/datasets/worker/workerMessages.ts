// What the extension host and its dataset worker say to each other; both ends are ours and of one build, so types suffice.
// The worker holds the datasets by number; whatever is "latest wins" comes as a whole summary.
import type { LabelledRun, ProblemCode, RowProblem } from '../../../core/data/rowAnalysis.js';
import type { ScannedFileType } from '../../../core/data/rowScanner.js';

export type SourceDescription =
  { kind: 'file'; path: string } | { kind: 'text'; text: string; fileType: ScannedFileType };

/** How to read the rows: a run file's dataset block, or the preview's settings. */
export interface ReadingSettings {
  format: string;
  columns: Record<string, string>;
  maxLength: number;
  trainOn: 'completions' | 'all';
  truncation: 'drop' | 'end' | 'error';
  chatTemplate: string | null;
  /** Folder with tokenizer.json. */
  tokenizerFolder: string;
  /** Path of the other file of the same run, whose rows should not be here as well. */
  compareWith: string | null;
}

export type SortKey = 'position' | 'length' | 'problem';

/** Which rows the preview's table shows, and in what order. */
export interface RowView {
  sort: SortKey;
  descending: boolean;
  /** Only rows whose text has this, whatever the case; '' for all. */
  search: string;
  /** Only rows with this problem; 'any' for those with one. */
  problem: ProblemCode | 'any' | null;
}

export interface LengthBin {
  /** Tokens, inclusive. */
  from: number;
  /** Tokens, exclusive. */
  to: number;
  rows: number;
}

export interface DatasetSummary {
  phase: 'indexing' | 'analysing' | 'comparing' | 'ready' | 'stopped' | 'failed';
  /** Share of the phase, 0 to 1. */
  share: number;
  /** Why it failed. */
  error: string | null;
  /** null while unknown, and where the rows are no dataset. */
  format: { name: string; title: string } | null;
  rows: number;
  /** Rows whose tokens were counted. */
  countedRows: number;
  /** Every row was counted; else tokens and labelShare are estimates from the counted ones. */
  exact: boolean;
  tokens: number;
  labelShare: number;
  longest: number;
  median: number;
  maxLength: number;
  problems: Partial<Record<ProblemCode, number>>;
  histogram: LengthBin[];
  /** SHA-256 of the file, as the engine writes into checkpoints; null until read. */
  contentHash: string | null;
  /** Rows that were taken over from the analysis before. */
  reusedRows: number;
}

export interface RowSummary {
  row: number;
  line: number;
  /** In units of the text: UTF-16 for editors. */
  start: number;
  end: number;
  /** null: not counted yet. */
  tokens: number | null;
  labelTokens: number | null;
  problems: ProblemCode[];
}

export interface ListedRow extends RowSummary {
  /** Beginning of the row's content, for the table. */
  excerpt: string;
}

/** A problem in words; where another row is meant, `related` is its line (and its file, if it is another one). */
export type Finding = RowProblem & { related?: { line: number; path?: string } };

export interface ProblemRow extends RowSummary {
  findings: Finding[];
}

export interface RowDetail extends ProblemRow {
  /** The row as it stands in the file. */
  text: string;
  /** Who says what, for the rendered view; empty where the row is no conversation. */
  turns: { role: string; content: string; trained: boolean }[];
  runs: LabelledRun[];
}

/** Requests by name: parameters and answer. */
export interface WorkerRequests {
  open: { params: { dataset: number; source: SourceDescription; settings: ReadingSettings }; result: void };
  /** The same dataset again, after an edit: what has not changed is not looked at again. */
  update: { params: { dataset: number; source: SourceDescription; settings: ReadingSettings }; result: void };
  /** Waits until the analysis is at its end; rows in file order. */
  rows: { params: { dataset: number; limit: number }; result: RowSummary[] };
  /** The same for rows with problems, told in words. */
  problems: { params: { dataset: number; limit: number }; result: ProblemRow[] };
  row: { params: { dataset: number; row: number }; result: RowDetail | null };
  /** Makes the view the current one. */
  view: { params: { dataset: number; view: RowView }; result: { rows: number } };
  /** Rows of the current view. */
  list: { params: { dataset: number; from: number; to: number }; result: ListedRow[] };
  /** Counts every row of a file that was only sampled. */
  countAll: { params: { dataset: number }; result: void };
  /** Stops indexing and counting; what is known stays. */
  stop: { params: { dataset: number }; result: void };
  close: { params: { dataset: number }; result: void };
  /** SHA-256 of a file, as the engine writes it into `started` and checkpoints; null where it can't be read. */
  hash: { params: { path: string }; result: string | null };
}

export type RequestName = keyof WorkerRequests;

export type ToWorker = {
  [N in RequestName]: { id: number; name: N; params: WorkerRequests[N]['params'] };
}[RequestName];

export type FromWorker =
  | { type: 'answer'; id: number; result: unknown }
  | { type: 'error'; id: number; message: string }
  | { type: 'summary'; dataset: number; summary: DatasetSummary };
