// Messages between the extension host and its dataset worker; both ends come from the same build, so types suffice. The
// worker holds datasets by number; "latest wins" state is sent as a whole summary.
import type { CountedRows, RowCounts } from '../../../core/data/datasetFacts.js';
import type { ExampleTurn } from '../../../core/data/exampleText.js';
import type { LabelledRun, ProblemCode, RowProblem } from '../../../core/data/rowAnalysis.js';
import type { ScannedFileType } from '../../../core/data/rowFileTypes.js';

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
  /** Path of the run's other file (training or validation), which must not share rows with this one. */
  compareWith: string | null;
}

export type SortKey = 'position' | 'length' | 'problem';

/** Which rows the preview's table shows, and their order. */
export interface RowView {
  sort: SortKey;
  descending: boolean;
  /** Only rows whose text contains this, ignoring case; '' for all. */
  search: string;
  /** Only rows with this problem, or with 'any' problem. */
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
  /** The error message in phase `failed`. */
  error: string | null;
  /** null while unknown, and if the file is not a dataset. */
  format: { name: string; title: string; isUntrained: boolean } | null;
  rows: number;
  /** Rows whose tokens were counted. */
  countedRows: number;
  /** All rows were counted; otherwise tokens and labelShare are extrapolated from those counted. */
  exact: boolean;
  tokens: number;
  labelShare: number;
  longest: number;
  median: number;
  maxLength: number;
  problems: Partial<Record<ProblemCode, number>>;
  histogram: LengthBin[];
  /** SHA-256 of the file, as in the engine's checkpoints; null until read. */
  contentHash: string | null;
  /** Rows whose results were reused from the previous analysis. */
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

export interface DatasetUse extends RowCounts {
  /** Why a run can't train on rows of this format; null if it can. */
  refusal: string | null;
  /** Those of `bad` that are bad whatever the tokenizer and its chat template. */
  unreadable: CountedRows;
}

export interface ListedRow extends RowSummary {
  /** Beginning of the row's content, for the table. */
  excerpt: string;
}

/**
 * A problem in words; `related` is the line (and the file, if another) of the row that it refers to, `place` where in the file it is,
 * from 1, if that is known more exactly than the row.
 */
export type Finding = RowProblem & {
  related?: { line: number; path?: string };
  place?: { line: number; column?: number };
};

export interface ProblemRow extends RowSummary {
  findings: Finding[];
}

export interface RowDetail extends ProblemRow {
  /** The row's text in the file. */
  text: string;
  /** For the rendered view; empty for tokenized rows. */
  turns: ExampleTurn[];
  runs: LabelledRun[];
}

/** Requests by name, with parameters and result. */
export interface WorkerRequests {
  open: { params: { dataset: number; source: SourceDescription; settings: ReadingSettings }; result: void };
  /** Reads the dataset again after an edit; unchanged rows are not analysed again. */
  update: { params: { dataset: number; source: SourceDescription; settings: ReadingSettings }; result: void };
  /** Rows in file order, once the analysis has ended. */
  rows: { params: { dataset: number; limit: number }; result: RowSummary[] };
  /** Rows with problems, once the analysis has ended. */
  problems: { params: { dataset: number; limit: number }; result: ProblemRow[] };
  /** What a run would make of the rows, once the analysis has ended. */
  use: { params: { dataset: number }; result: DatasetUse };
  row: { params: { dataset: number; row: number }; result: RowDetail | null };
  /** Makes the view the current one. */
  view: { params: { dataset: number; view: RowView }; result: { rows: number } };
  /** Rows of the current view. */
  list: { params: { dataset: number; from: number; to: number }; result: ListedRow[] };
  /** Counts all rows of a sampled file. */
  countAll: { params: { dataset: number }; result: void };
  /** Stops indexing and counting, and keeps the results so far. */
  stop: { params: { dataset: number }; result: void };
  close: { params: { dataset: number }; result: void };
  /** SHA-256 of a file, as in `started` and checkpoints; null if it can't be read. */
  hash: { params: { path: string }; result: string | null };
  /** Answered at once by a worker that can still answer. */
  ping: { params: Record<string, never>; result: void };
}

export type RequestName = keyof WorkerRequests;

export type ToWorker = {
  [N in RequestName]: { id: number; name: N; params: WorkerRequests[N]['params'] };
}[RequestName];

export type FromWorker =
  | { type: 'answer'; id: number; result: unknown }
  | { type: 'error'; id: number; message: string }
  | { type: 'summary'; dataset: number; summary: DatasetSummary };
