// Loads a dataset file as token ids: reads rows, detects their format and tokenizes them once, in file order. Called by train,
// evaluate and inspect. Problems of single rows are counted and reported at the end; a row that can't be read is an error.
import type { DatasetFormat } from '../../core/data/formats/datasetFormat.js';
import { encodeExample, type EncodedRow } from '../../core/data/encodeExample.js';
import { countLabels, describeSource, type EncodedExample, type RowSource } from '../../core/data/example.js';
import type { SourcedRow } from '../../core/data/example.js';
import {
  checkColumns,
  detectFormat,
  formatByName,
  mapColumns,
  FORMAT_SAMPLE_ROWS,
} from '../../core/data/resolveFormat.js';
import { InputError } from '../../core/inputError.js';
import type { TextTokenizer } from '../../core/text/textTokenizer.js';
import type { DatasetConfig } from '../../protocol/runConfig.js';
import { readRows, type ReadOptions } from './readRows.js';
import { TokenStore } from './tokenStore.js';

/** Number of rows that a warning names. */
const NAMED_ROWS = 5;

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
  readonly stats: DatasetStats;
  /** Frees the tokens; nothing may be read afterwards. */
  close(): void;
}

export type WarningCode = 'rows_truncated' | 'rows_dropped' | 'rows_all_masked' | 'turns_not_found';

export interface LoadDatasetOptions {
  /** Path of the file. */
  file: string;
  /** The keys of the dataset block that are used here. */
  config: Pick<DatasetConfig, 'format' | 'columns' | 'max_length' | 'train_on' | 'truncation'>;
  tokenizer: TextTokenizer;
  /** Jinja source of dataset.chat_template, to use instead of the model's own. */
  chatTemplate?: string | null;
  role: 'train' | 'validation';
  onWarning: (code: WarningCode, message: string) => void;
  onProgress?: (progress: { rows: number; tokens: number; share: number }) => void;
  signal?: AbortSignal;
  /** Limit for token ids in memory, in bytes; the rest goes to a temporary file. */
  memoryBytes?: number;
}

/** @throws InputError with file and line for a row that can't be used, and for a dataset without usable rows */
export async function loadDataset(options: LoadDatasetOptions): Promise<Dataset> {
  const { file, config } = options;
  const store = new TokenStore({ memoryBytes: options.memoryBytes });
  try {
    const counts = { tokens: 0, labelTokens: 0, longest: 0 };
    const lines: number[] = [];
    const notes = {
      truncated: new RowNotes(),
      dropped: new RowNotes(),
      allMasked: new RowNotes(),
      turns: new RowNotes(),
    };
    let share = 0;
    let contentHash = '';
    let format: DatasetFormat | null = null;

    const rows = encodeRows({
      ...options,
      onShare: value => (share = value),
      onHash: value => (contentHash = value),
    });
    for await (const { encoded, source, resolved } of rows) {
      format = resolved;
      if (encoded.unlocatedTurns.length > 0) notes.turns.add(source);
      const kept = fitLength(encoded, config, source, notes);
      if (!kept) continue;
      const labelTokens = countLabels(kept.labels);
      if (labelTokens === 0) {
        notes.allMasked.add(source);
        continue;
      }
      store.append(kept);
      lines.push(source.line);
      counts.tokens += kept.inputIds.length;
      counts.labelTokens += labelTokens;
      counts.longest = Math.max(counts.longest, kept.inputIds.length);
      if (lines.length % 256 === 0) options.onProgress?.({ rows: lines.length, tokens: counts.tokens, share });
    }
    options.onProgress?.({ rows: lines.length, tokens: counts.tokens, share: 1 });
    warn(notes, options);
    if (lines.length === 0) throw new InputError('no row of the dataset can be trained on', { file });

    return {
      file,
      format: (format as unknown as DatasetFormat).name,
      length: lines.length,
      lengthOf: i => store.lengthOf(i),
      get: i => store.get(i),
      sourceOf: i => ({ file, line: lines[i] }),
      stats: {
        rows: lines.length,
        ...counts,
        truncated: notes.truncated.count,
        dropped: notes.dropped.count,
        allMasked: notes.allMasked.count,
        contentHash,
      },
      close: () => store.close(),
    };
  } catch (error) {
    store.close();
    throw error;
  }
}

export interface EncodeRowsOptions
  extends Pick<LoadDatasetOptions, 'file' | 'tokenizer' | 'chatTemplate'>, ReadOptions {
  config: Pick<DatasetConfig, 'format' | 'columns' | 'train_on'>;
}

/** The rows as token ids, not truncated. @throws InputError with file and line for a row that can't be used */
export async function* encodeRows({
  file,
  config,
  tokenizer,
  chatTemplate,
  ...reading
}: EncodeRowsOptions): AsyncGenerator<{ encoded: EncodedRow; source: RowSource; resolved: DatasetFormat }> {
  const rows = readRows(file, reading);
  for await (const { row, source, resolved } of withFormat(rows, config)) {
    const encoded = atSource(source, () =>
      encodeExample(resolved.parse(row, source), tokenizer, { trainOn: config.train_on, chatTemplate }),
    );
    yield { encoded, source, resolved };
  }
}

/** The rows with mapped columns, and their format, which is detected from the first rows. */
async function* withFormat(
  rows: AsyncIterable<SourcedRow>,
  { format, columns }: Pick<DatasetConfig, 'format' | 'columns'>,
): AsyncGenerator<SourcedRow & { resolved: DatasetFormat }> {
  const named = format === 'auto' ? null : formatByName(format);
  let resolved: DatasetFormat | null = null;
  let sample: SourcedRow[] = [];
  const map = ({ row, source }: SourcedRow) => ({ row: mapColumns(row, columns), source });
  const decide = () => {
    checkColumns(columns, named, sample);
    return named ?? detectFormat(sample.map(map));
  };

  for await (const row of rows) {
    if (resolved) {
      yield { ...map(row), resolved };
      continue;
    }
    sample.push(row);
    if (sample.length < FORMAT_SAMPLE_ROWS) continue;
    resolved = decide();
    for (const sampled of sample) yield { ...map(sampled), resolved };
    sample = [];
  }
  if (sample.length === 0) return;
  resolved = decide();
  for (const sampled of sample) yield { ...map(sampled), resolved };
}

/** Adds file and line to errors of the tokenizer and of the chat template. */
function atSource<T>(source: RowSource, encode: () => T): T {
  try {
    return encode();
  } catch (error) {
    if (!(error instanceof InputError) || error.where) throw error;
    throw new InputError(error.message, { ...source, hint: error.hint });
  }
}

function fitLength(
  encoded: EncodedRow,
  { max_length: maxLength, truncation }: Pick<DatasetConfig, 'max_length' | 'truncation'>,
  source: RowSource,
  notes: { truncated: RowNotes; dropped: RowNotes },
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

/** Counts rows with a problem, and remembers the first of them. */
class RowNotes {
  count = 0;
  private readonly first: string[] = [];

  add(source: RowSource): void {
    this.count++;
    if (this.first.length < NAMED_ROWS) this.first.push(describeSource(source));
  }

  /** `3 rows ... (file:1, file:2, file:9)` */
  describe(what: string): string {
    const more = this.count > this.first.length ? ', ...' : '';
    return `${this.count} ${this.count === 1 ? 'row' : 'rows'} ${what} (${this.first.join(', ')}${more})`;
  }
}

function warn(
  notes: Record<'truncated' | 'dropped' | 'allMasked' | 'turns', RowNotes>,
  { config, role, onWarning }: LoadDatasetOptions,
): void {
  const set = role === 'train' ? 'training' : 'validation';
  const tooLong = `of the ${set} set longer than max_length (${config.max_length})`;
  const report = (code: WarningCode, note: RowNotes, what: string) => {
    if (note.count > 0) onWarning(code, note.describe(what));
  };
  report('rows_truncated', notes.truncated, `${tooLong}: truncated at the end`);
  report('rows_dropped', notes.dropped, `${tooLong}: dropped`);
  report('rows_all_masked', notes.allMasked, `of the ${set} set with no token to train on: skipped`);
  report(
    'turns_not_found',
    notes.turns,
    `of the ${set} set with assistant turns that the chat template rewrites beyond recognition: no loss on those turns`,
  );
}
