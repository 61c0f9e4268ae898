// Loads a dataset file as token ids: reads rows, detects their format and tokenizes them once, in file order. Called by train,
// evaluate and inspect. Problems of single rows are counted and reported at the end: rows that can't be used are left out, unless
// dataset.on_bad_row is "error".
import type { DatasetFormat } from '../../core/data/formats/datasetFormat.js';
import { emptyAnswer } from '../../core/data/emptyAnswer.js';
import { encodeExample, type EncodedRow } from '../../core/data/encodeExample.js';
import {
  countLabels,
  type EncodedExample,
  type RowSource,
  type SequenceExample,
  type SourcedRow,
} from '../../core/data/example.js';
import {
  checkColumns,
  formatByName,
  mapColumns,
  resolveFormat,
  untrainedFormat,
  FORMAT_SAMPLE_ROWS,
  type ResolvedFormat,
} from '../../core/data/resolveFormat.js';
import { maskedReason } from '../../core/data/maskedReason.js';
import { tooManyBad } from '../../core/data/usableRows.js';
import { InputError, unlessWrong } from '../../core/inputError.js';
import type { TextTokenizer } from '../../core/text/textTokenizer.js';
import type { DatasetConfig } from '../../protocol/datasetConfig.js';
import type { ExcludedRows } from './quarantine.js';
import { readRows, type ReadOptions } from './readRows.js';
import { indented, rowCount, RowNotes, RowReasons } from './rowNotes.js';
import { sourceHash } from './sourceHash.js';
import { TokenStore } from './tokenStore.js';

export interface DatasetStats {
  /** Rows to train on, without dropped and all-masked ones. */
  rows: number;
  tokens: number;
  /** Number of label tokens. */
  labelTokens: number;
  /** Rows truncated to max_length. */
  truncated: number;
  /** Rows dropped because they are longer than max_length. */
  dropped: number;
  /** Rows skipped because they have no label tokens. */
  allMasked: number;
  /** Rows left out because they can't be used. */
  bad: number;
  /** Rows left out because a quarantine file has them. */
  excluded: number;
  /** Length of the longest row in tokens, after truncation. */
  longest: number;
  /** SHA-256 of the file, hexadecimal: a resumed run must use the same rows. */
  contentHash: string;
}

export interface Dataset {
  readonly file: string;
  readonly format: string;
  readonly length: number;
  /** Tokens of row `i`. */
  lengthOf(i: number): number;
  get(i: number): EncodedExample;
  sourceOf(i: number): RowSource;
  /** Which of the rows of the file that can be read it is, from 0; several may be in one line. */
  numberOf(i: number): number;
  /**
   * Positions that excluded rows would have if they weren't left out, ascending: rows are divided as if they were here, so that
   * excluding one moves no other from training to validation.
   */
  readonly excluded: readonly number[];
  readonly stats: DatasetStats;
  /** Which rows of the file are not among these and why, a line for each reason. */
  readonly leftOut: readonly string[];
  /** Frees the tokens; nothing may be read afterwards. */
  close(): void;
}

export type WarningCode =
  | 'rows_left_out'
  | 'rows_excluded'
  | 'rows_truncated'
  | 'rows_dropped'
  | 'rows_all_masked'
  | 'rows_empty_answer'
  | 'turns_not_found';

/** How far a file is read. */
export interface LoadingProgress {
  rows: number;
  excluded: number;
  tokens: number;
  share: number;
}

export interface LoadDatasetOptions {
  /** Path of the file. */
  file: string;
  /** The keys of the dataset block that are used here. */
  config: Pick<DatasetConfig, 'format' | 'columns' | 'max_length' | 'train_on' | 'truncation' | 'on_bad_row'>;
  /** Why rows may not be longer than max_length, if that is not the run file's own limit. */
  limitedBy?: string | null;
  /** Whether any share of bad rows may be left out: for a description of the file. */
  anyShare?: boolean;
  tokenizer: TextTokenizer;
  /** Rows of the model's embedding, which ids must be within; the tokenizer's vocabulary if absent. */
  embeddingRows?: number;
  role: 'train' | 'validation';
  onWarning: (code: WarningCode, message: string) => void;
  /** Rows to leave out. */
  exclude?: ExcludedRows | null;
  onProgress?: (progress: LoadingProgress) => void;
  signal?: AbortSignal;
  /** Limit for token ids in memory, in bytes; the rest goes to a temporary file. */
  memoryBytes?: number;
}

/**
 * @throws InputError for a dataset without usable rows, or of a format that nothing trains on, and for one with too many that can't be used; if on_bad_row is "error", for
 * the first of them, with file and line
 */
export async function loadDataset(options: LoadDatasetOptions): Promise<Dataset> {
  const { file, config } = options;
  const store = new TokenStore({ memoryBytes: options.memoryBytes });
  try {
    const counts = { tokens: 0, labelTokens: 0, longest: 0 };
    const lines: number[] = [];
    const numbers: number[] = [];
    const notes = noNotes();
    const excluded: number[] = [];
    let firstBad: InputError | null = null;
    let share = 0;
    let contentHash = '';
    let format: DatasetFormat | null = null;

    const onBadRow = (error: InputError, source: RowSource) => {
      firstBad ??= error;
      notes.bad.add(error.message, source);
    };
    const rows = encodeRows({
      ...options,
      onShare: value => (share = value),
      onHash: value => (contentHash = value),
      onBadRow: config.on_bad_row === 'error' ? undefined : onBadRow,
    });
    const report = (done: number) =>
      options.onProgress?.({ rows: lines.length, excluded: notes.excluded.count, tokens: counts.tokens, share: done });
    for await (const { example, encoded, source, number, resolved, isExcluded } of rows) {
      format = resolved;
      if (isExcluded) {
        notes.excluded.add(source);
        if (isUsable(encoded, config, source)) excluded.push(lines.length + excluded.length);
        continue;
      }
      if (encoded.unlocatedTurns.length > 0) notes.turns.add(source);
      const kept = fitLength(encoded, config, source, notes);
      if (!kept) continue;
      const labelTokens = countLabels(kept.labels);
      if (labelTokens === 0) {
        if (countLabels(encoded.labels) > 0) notes.cutOff.add(source);
        else notes.allMasked.add(maskedReason(example, encoded), source);
        continue;
      }
      if (emptyAnswer(example)) notes.empty.add(source);
      store.append(kept);
      lines.push(source.line);
      numbers.push(number);
      counts.tokens += kept.inputIds.length;
      counts.labelTokens += labelTokens;
      counts.longest = Math.max(counts.longest, kept.inputIds.length);
      if (lines.length % 256 === 0) report(share);
    }
    report(1);
    const leftOut = describeLeftOut(notes, options);
    const read = lines.length + notes.bad.count + notes.dropped.count + notes.allMasked.count + notes.cutOff.count;
    checkShare(notes.bad, read, firstBad, options);
    if (lines.length === 0) throw nothingLeft(leftOut, firstBad, options);
    warn(notes, options);

    return {
      file,
      format: (format as unknown as DatasetFormat).name,
      length: lines.length,
      lengthOf: i => store.lengthOf(i),
      get: i => store.get(i),
      sourceOf: i => ({ file, line: lines[i] }),
      numberOf: i => numbers[i],
      excluded,
      stats: {
        rows: lines.length,
        ...counts,
        truncated: notes.truncated.count,
        dropped: notes.dropped.count,
        allMasked: notes.allMasked.count + notes.cutOff.count,
        bad: notes.bad.count,
        excluded: notes.excluded.count,
        contentHash,
      },
      leftOut,
      close: () => store.close(),
    };
  } catch (error) {
    store.close();
    throw error;
  }
}

export interface EncodeRowsOptions
  extends Pick<LoadDatasetOptions, 'file' | 'tokenizer' | 'embeddingRows' | 'exclude'>, ReadOptions {
  config: Pick<DatasetConfig, 'format' | 'columns' | 'train_on'>;
}

interface EncodedSourcedRow {
  example: SequenceExample;
  encoded: EncodedRow;
  source: RowSource;
  resolved: DatasetFormat;
  isExcluded: boolean;
  number: number;
}

/**
 * The rows as token ids, not truncated; without those that `onBadRow` is called for.
 * @throws InputError with file and line for a row that can't be used if there is no `onBadRow`, and if no format is recognized
 */
export async function* encodeRows({
  file,
  config,
  tokenizer,
  embeddingRows,
  exclude,
  ...reading
}: EncodeRowsOptions): AsyncGenerator<EncodedSourcedRow> {
  const { onBadRow } = reading;
  for await (const { row, source, number, resolved } of withFormat(file, config, reading)) {
    let read: EncodedSourcedRow;
    let isExcluded = false;
    try {
      // Formats of other examples are refused by `withFormat`.
      const example = resolved.parse(row, source) as SequenceExample;
      isExcluded = exclude?.hashes.has(sourceHash(example)) ?? false;
      const options = { trainOn: config.train_on, embeddingRows };
      read = { example, encoded: encodeExample(example, tokenizer, options), source, number, resolved, isExcluded };
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      if (isExcluded) continue;
      // Errors of the tokenizer and of the chat template have no place.
      const placed = error.where ? error : new InputError(error.message, { ...source, hint: error.hint });
      if (!onBadRow) throw placed;
      onBadRow(placed, source);
      continue;
    }
    yield read;
  }
}

/**
 * The rows as examples, without those that can't be used.
 * @throws InputError if no format is recognized
 */
export async function* readExamples(
  file: string,
  config: Pick<DatasetConfig, 'format' | 'columns'>,
  reading: Omit<ReadOptions, 'onBadRow'> = {},
): AsyncGenerator<{ example: SequenceExample; source: RowSource; number: number }> {
  for await (const { row, source, number, resolved } of withFormat(file, config, {
    ...reading,
    onBadRow: () => {},
  })) {
    // Formats of other examples are refused by `withFormat`.
    const example = unlessWrong(() => resolved.parse(row, source) as SequenceExample);
    if (example) yield { example, source, number };
  }
}

/** The rows with mapped columns, and their format, which is detected from those of the first rows that can be read. */
async function* withFormat(
  file: string,
  { format: name, columns }: Pick<DatasetConfig, 'format' | 'columns'>,
  reading: ReadOptions,
): AsyncGenerator<SourcedRow & { number: number; resolved: DatasetFormat }> {
  const named = name === 'auto' ? null : formatByName(name);
  let resolved: ResolvedFormat | null = null;
  let seen = 0;
  let number = 0;
  const sample: SourcedRow[] = [];
  const onBadRow = reading.onBadRow && ((...bad: [InputError, RowSource]) => (seen++, reading.onBadRow?.(...bad)));
  const decide = (): ResolvedFormat => {
    checkColumns(columns, named, sample);
    const found = resolveFormat(sample, name, columns, !onBadRow);
    const refusal = untrainedFormat(found.format, sample);
    if (refusal) throw refusal;
    return found;
  };
  const read = (rows: readonly SourcedRow[], { format, columns: used }: ResolvedFormat) =>
    rows.map(({ row, source }) => ({ row: mapColumns(row, used), source, number: number++, resolved: format }));

  for await (const row of readRows(file, { ...reading, onBadRow })) {
    if (!resolved && sample.length > 0 && seen >= FORMAT_SAMPLE_ROWS) {
      resolved = decide();
      yield* read(sample, resolved);
    }
    seen++;
    if (resolved) yield* read([row], resolved);
    else sample.push(row);
  }
  if (!resolved && sample.length > 0) yield* read(sample, decide());
}

function fitLength(
  encoded: EncodedRow,
  { max_length: maxLength, truncation }: Pick<DatasetConfig, 'max_length' | 'truncation'>,
  source: RowSource,
  notes: Pick<Notes, 'truncated' | 'dropped'>,
): EncodedExample | null {
  const length = encoded.inputIds.length;
  if (length <= maxLength) return encoded;
  if (truncation === 'error') {
    throw new InputError(`the row has ${length} tokens, but dataset.max_length is ${maxLength}`, {
      ...source,
      hint: 'Raise dataset.max_length, shorten the row, or set dataset.truncation to "end" or "drop".',
    });
  }
  if (truncation === 'drop') {
    notes.dropped.add(source);
    return null;
  }
  notes.truncated.add(source);
  return { inputIds: encoded.inputIds.subarray(0, maxLength), labels: encoded.labels.subarray(0, maxLength) };
}

/** Whether an excluded row would be loaded if it weren't excluded. */
function isUsable(encoded: EncodedRow, config: LoadDatasetOptions['config'], source: RowSource): boolean {
  const truncation = config.truncation === 'error' ? 'end' : config.truncation;
  const kept = fitLength(encoded, { ...config, truncation }, source, noNotes());
  return kept !== null && countLabels(kept.labels) > 0;
}

type Notes = ReturnType<typeof noNotes>;

function noNotes() {
  return {
    excluded: new RowNotes(),
    truncated: new RowNotes(),
    dropped: new RowNotes(),
    allMasked: new RowReasons(),
    cutOff: new RowNotes(),
    empty: new RowNotes(),
    turns: new RowNotes(),
    bad: new RowReasons(),
  };
}

/** A line for each reason why rows of the file are left out. */
function describeLeftOut({ excluded, bad, dropped, allMasked, cutOff }: Notes, options: LoadDatasetOptions): string[] {
  const { max_length: maxLength } = options.config;
  const limit = options.limitedBy ? `${maxLength} tokens, ${options.limitedBy}` : `max_length (${maxLength})`;
  const lines: [RowNotes, string][] = [
    [dropped, `longer than ${limit}: dropped`],
    [cutOff, `whose answer begins after ${limit}`],
    [excluded, excludedBy(options)],
  ];
  const tooLong = lines.flatMap(([notes, what]) => (notes.count > 0 ? [notes.describe(what)] : []));
  return [...bad.describe(), ...tooLong, ...allMasked.describe()];
}

/** @throws InputError if so many rows can't be used that the file as a whole is probably read wrongly */
function checkShare(
  bad: RowReasons,
  rows: number,
  first: InputError | null,
  { file, anyShare = false }: LoadDatasetOptions,
): void {
  if (anyShare || !tooManyBad(bad.count, rows)) return;
  const hint = first?.hint ?? 'Correct these rows, or remove them.';
  const message = `${bad.count} of ${rows} rows can't be used, more than a tenth:${indented(bad.describe())}`;
  throw new InputError(message, { file, ...placeOf(first), hint });
}

function placeOf(first: InputError | null): { line?: number; column?: number } {
  const { line, column } = first?.record() ?? {};
  return { line, column };
}

function nothingLeft(
  leftOut: readonly string[],
  first: InputError | null,
  { file, role }: LoadDatasetOptions,
): InputError {
  const what = role === 'train' ? 'can be trained on' : 'can be evaluated';
  return new InputError(`no row of the dataset ${what}:${indented(leftOut)}`, {
    file,
    ...placeOf(first),
    hint: first?.hint,
  });
}

function excludedBy({ exclude }: Pick<LoadDatasetOptions, 'exclude'>): string {
  return `excluded by ${exclude?.file}`;
}

function warn(notes: Notes, { config, role, exclude, onWarning }: LoadDatasetOptions): void {
  const set = role === 'train' ? 'training' : 'validation';
  const tooLong = `of the ${set} set longer than max_length (${config.max_length})`;
  const report = (code: WarningCode, note: RowNotes, what: string) => {
    if (note.count > 0) onWarning(code, note.describe(what));
  };
  if (notes.bad.count > 0) {
    const reasons = notes.bad.describe().join('; ');
    onWarning('rows_left_out', `${rowCount(notes.bad.count)} of the ${set} set can't be used, left out: ${reasons}`);
  }
  if (exclude) report('rows_excluded', notes.excluded, `of the ${set} set ${excludedBy({ exclude })}`);
  report('rows_truncated', notes.truncated, `${tooLong}: truncated at the end`);
  report('rows_dropped', notes.dropped, `${tooLong}: dropped`);
  report('rows_all_masked', notes.cutOff, `of the ${set} set whose answer begins after max_length: skipped`);
  if (notes.allMasked.count > 0) {
    const reasons = notes.allMasked.describe().join('; ');
    onWarning(
      'rows_all_masked',
      `${rowCount(notes.allMasked.count)} of the ${set} set with no token to train on: skipped: ${reasons}`,
    );
  }
  report(
    'rows_empty_answer',
    notes.empty,
    `of the ${set} set with an empty answer: the model is trained to say nothing there`,
  );
  report(
    'turns_not_found',
    notes.turns,
    `of the ${set} set with assistant turns that the chat template rewrites beyond recognition: no loss on those turns`,
  );
}
