// One dataset in the worker: indexes its rows, detects the format, counts tokens, finds problems, and answers the
// preview's requests meanwhile. Created by datasetWorker.ts. Of a large file only a sample of the rows is tokenized, so
// that its token counts are estimates until `countAll`.
import type { Example, Row } from '../../../core/data/example.js';
import { fingerprint, FingerprintSet } from '../../../core/data/fingerprint.js';
import type { DatasetFormat } from '../../../core/data/formats/datasetFormat.js';
import {
  labelledRuns,
  measureExample,
  readExample,
  type MeasuredExample,
  type ReadingOptions,
  type RowProblem,
} from '../../../core/data/rowAnalysis.js';
import { FORMAT_SAMPLE_ROWS, resolveFormat, untrainedFormat } from '../../../core/data/resolveFormat.js';
import { writeJsonText } from '../../../core/data/jsonText.js';
import { jsonOfPython } from '../../../core/data/pythonLiteral.js';
import { RowSyntaxError } from '../../../core/data/rowText.js';
import { InputError, unlessWrong } from '../../../core/inputError.js';
import type { TextTokenizer } from '../../../core/text/textTokenizer.js';
import { openRowFile } from '../../../rows/openRowFile.js';
import { placeInFile } from '../../../rows/placeInFile.js';
import type { RowReader } from '../../../rows/rowReader.js';
import { EditorRows } from '../../../rows/scannedRows.js';
import { EXCERPT_LENGTH, excerptOf, turnsOf } from '../../../core/data/exampleText.js';
import { lengthStatistics, problemCounts, sampledRows } from './rowStatistics.js';
import { RowTable } from './rowTable.js';
import { tokenizerOfFolder } from './tokenizerFolder.js';
import { turn } from './turns.js';
import { viewOfRows } from './rowView.js';
import type {
  DatasetSummary,
  DatasetUse,
  ListedRow,
  ProblemRow,
  ReadingSettings,
  RowDetail,
  RowSummary,
  RowView,
  SourceDescription,
} from './workerMessages.js';

/** Only a sample of larger texts is tokenized. In units of the text, as row places. */
const EXACT_UNITS = 32 << 20;
const BATCH_ROWS = 256;
const BATCH_UNITS = 1 << 20;

export class AnalysedDataset {
  private table = new RowTable();
  private reader: RowReader | null = null;
  private settings: ReadingSettings | null = null;
  private options: ReadingOptions | null = null;
  private tokenizer: TextTokenizer | null = null;
  private duplicates = new FingerprintSet(() => 0);
  private other: { table: RowTable; set: FingerprintSet; path: string } | null = null;
  private order: Uint32Array | null = null;
  private phase: DatasetSummary['phase'] = 'indexing';
  private share = 0;
  private error: string | null = null;
  /** Why a run can't train on the rows. */
  private refusal: string | null = null;
  /** '' for an editor's text. */
  private path = '';
  private contentHash: string | null = null;
  private reusedRows = 0;
  private exact = true;
  private abort = new AbortController();
  private viewAbort = new AbortController();
  /** Settles when the analysis ends, whether it succeeds or fails. */
  private work: Promise<void> = Promise.resolve();
  private reported = 0;

  constructor(
    private readonly report: (summary: DatasetSummary) => void,
    private readonly fingerprintsOf: (path: string, settings: ReadingSettings) => Promise<AnalysedDataset['other']>,
  ) {}

  /** Starts over with this source; results are kept for rows with the same text. */
  start(source: SourceDescription, settings: ReadingSettings): void {
    this.abort.abort();
    this.viewAbort.abort();
    this.abort = new AbortController();
    const { signal } = this.abort;
    const before = this.work;
    const run = async () => {
      await before;
      if (!signal.aborted) await this.run(source, settings, signal);
    };
    this.work = run().catch(error => {
      if (signal.aborted) return;
      this.phase = 'failed';
      this.error = error instanceof InputError ? error.describe() : String((error as Error).stack ?? error);
      this.tell(true);
    });
  }

  async stop(): Promise<void> {
    this.abort.abort();
    await this.work;
    if (this.phase !== 'ready' && this.phase !== 'failed') this.phase = 'stopped';
    this.tell(true);
  }

  async close(): Promise<void> {
    this.abort.abort();
    this.viewAbort.abort();
    await this.work;
    await this.reader?.close();
    this.reader = null;
  }

  /** Tokenizes the rows that the sample left out. */
  countAll(): void {
    if (this.abort.signal.aborted) this.abort = new AbortController();
    const { signal } = this.abort;
    this.phase = 'analysing';
    this.work = this.work
      .then(async () => {
        this.exact = true;
        await this.analyse(null, signal);
        this.phase = 'ready';
        this.tell(true);
      })
      .catch(error => {
        if (!signal.aborted) throw error;
      });
  }

  private async run(source: SourceDescription, settings: ReadingSettings, signal: AbortSignal): Promise<void> {
    const sameReading = this.settings !== null && readingKey(this.settings) === readingKey(settings);
    const before = sameReading && this.options ? { table: this.table, format: this.options.format } : null;
    await this.reader?.close();
    this.reader = null;
    Object.assign(this, { table: new RowTable(), settings, options: null, order: null, error: null, other: null });
    Object.assign(this, { refusal: null, contentHash: null, reusedRows: 0, phase: 'indexing', share: 0 });
    const reader =
      source.kind === 'file' ? await openRowFile(source.path) : new EditorRows(source.text, source.fileType);
    this.reader = reader;
    this.path = source.kind === 'file' ? source.path : '';
    this.exact = reader.size <= EXACT_UNITS;
    this.tokenizer = tokenizerOfFolder(settings.tokenizerFolder);
    let isDetected = false;
    for await (const share of reader.scan((start, end, line) => this.table.add(start, end, line))) {
      signal.throwIfAborted();
      this.share = share;
      if (!isDetected && this.table.length >= FORMAT_SAMPLE_ROWS) {
        await this.detectFormat();
        isDetected = true;
      }
      this.tell();
      await turn();
    }
    this.contentHash = reader.contentHash;
    if (!isDetected) await this.detectFormat();
    this.error = reader.fault?.describe() ?? this.error;
    if (this.options) {
      this.phase = 'analysing';
      this.tell(true);
      await this.analyse(before && before.format === this.chosenFormat ? before.table : null, signal);
      await this.compare(settings, signal);
    }
    this.phase = 'ready';
    this.share = 1;
    this.tell(true);
  }

  /** What `run` has opened. */
  private opened(): { reader: RowReader; settings: ReadingSettings; tokenizer: TextTokenizer } {
    const { reader, settings, tokenizer } = this;
    if (!reader || !settings || !tokenizer) throw new Error('the dataset is not open');
    return { reader, settings, tokenizer };
  }

  private get chosenFormat(): DatasetFormat | null {
    return this.options?.format ?? null;
  }

  private async detectFormat(): Promise<void> {
    const { table } = this;
    const { reader, settings } = this.opened();
    const texts = await reader.texts(table.places(0, Math.min(FORMAT_SAMPLE_ROWS, table.length)));
    const { format, columns, maxLength, trainOn, truncation, chatTemplate } = settings;
    const read = (textOf: (text: string) => string) =>
      texts.flatMap((text, i) => {
        const row = unlessWrong(() => reader.parse(textOf(text)));
        return row ? [{ row, source: { file: this.path, line: table.line(i) } }] : [];
      });
    const asTheyAre = read(text => text);
    // Rows that Python printed are a dataset whose every row can be repaired.
    const sample = asTheyAre.length > 0 ? asTheyAre : read(text => jsonOfPython(text) ?? text);
    if (sample.length === 0 && format === 'auto') return;
    try {
      const resolved = resolveFormat(sample, format, columns);
      this.options = { ...resolved, maxLength, trainOn, truncation, chatTemplate };
      this.refusal = untrainedFormat(resolved.format, sample)?.describe() ?? null;
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      this.error = error.describe();
    }
  }

  private async analyse(before: RowTable | null, signal: AbortSignal): Promise<void> {
    const { table } = this;
    const earlier = before && fingerprintsOfTexts(before);
    this.duplicates = new FingerprintSet(row => table.example.get(row));
    if (!this.exact) {
      for (const [from, to] of sampledRows(table.length)) {
        await this.eachRow(from, to, signal, (row, text) => this.analyseRow(row, text, true));
      }
    }
    await this.eachRow(0, table.length, signal, (row, text) => {
      if (this.exact && !table.isCounted(row)) {
        const hash = fingerprint(text);
        table.text.set(row, hash);
        const same = earlier?.find(hash) ?? -1;
        if (same >= 0 && before) {
          table.copy(row, before, same);
          this.reusedRows++;
        } else this.analyseRow(row, text, true);
      } else if (!table.isParsed(row)) this.analyseRow(row, text, false);
      if (table.example.get(row) !== 0 && this.duplicates.add(row) >= 0) table.addProblem(row, 'duplicate');
    });
  }

  private async eachRow(from: number, to: number, signal: AbortSignal, visit: (row: number, text: string) => void) {
    const { table } = this;
    const { reader } = this.opened();
    for (let row = from; row < to;) {
      let end = row + 1;
      while (end < to && end - row < BATCH_ROWS && table.end(end) - table.start(row) < BATCH_UNITS) end++;
      const texts = await reader.texts(table.places(row, end));
      for (const text of texts) {
        signal.throwIfAborted();
        visit(row++, text);
        await turn();
      }
      this.share = row / Math.max(1, table.length);
      this.tell();
    }
  }

  /** Analyses a row and enters the result into the table. */
  private analyseRow(row: number, text: string, countTokens: boolean): ExaminedRow {
    const { table } = this;
    const examined = this.examine(text, countTokens);
    table.markParsed(row);
    if (examined.example) table.example.set(row, fingerprint(writeJsonText(examined.example)) || 1);
    if (countTokens) table.setCounts(row, examined.measured?.tokens ?? 0, examined.measured?.labelTokens ?? 0);
    for (const { code } of examined.problems) table.addProblem(row, code);
    return examined;
  }

  private examine(text: string, countTokens: boolean): ExaminedRow {
    const { reader, tokenizer } = this.opened();
    const options = this.options as ReadingOptions;
    let row: Row;
    try {
      row = reader.parse(text);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      const { message, hint } = error;
      const offset = error instanceof RowSyntaxError ? error.offset : undefined;
      return { row: null, example: null, measured: null, problems: [{ code: 'invalid_json', message, hint, offset }] };
    }
    const { example, problems } = readExample(row, options);
    if (!example || !countTokens) return { row, example, measured: null, problems };
    const measured = measureExample(example, tokenizer, options);
    return { row, example, measured, problems: [...problems, ...measured.problems] };
  }

  private async compare({ compareWith }: ReadingSettings, signal: AbortSignal): Promise<void> {
    if (!compareWith) return;
    this.phase = 'comparing';
    this.other = await this.fingerprintsOf(compareWith, this.opened().settings);
    const { table, other } = this;
    if (!other) return;
    for (let row = 0; row < table.length; row++) {
      signal.throwIfAborted();
      const value = table.example.get(row);
      if (value !== 0 && other.set.find(value) >= 0) table.addProblem(row, 'in_validation');
      await turn();
    }
  }

  /** The rows of this dataset, once they are parsed, for comparison with another one. */
  async fingerprints(path: string): Promise<NonNullable<AnalysedDataset['other']>> {
    await this.work;
    return { table: this.table, set: this.duplicates, path };
  }

  /** Rows in file order, once the analysis has ended. */
  async rows(limit: number): Promise<RowSummary[]> {
    await this.settled();
    return Array.from({ length: Math.min(limit, this.table.length) }, (_, row) => this.summaryOf(row));
  }

  async problems(limit: number): Promise<ProblemRow[]> {
    await this.settled();
    const { table } = this;
    const found: ProblemRow[] = [];
    for (let row = 0; row < table.length && found.length < limit; row++) {
      if (!table.hasProblem(row)) continue;
      const detail = await this.detail(row);
      if (detail) found.push({ ...this.summaryOf(row), findings: detail.findings });
      await turn();
    }
    return found;
  }

  async use(): Promise<DatasetUse> {
    await this.settled();
    const { table } = this;
    const { maxLength, truncation } = this.opened().settings;
    const kinds = ['bad', 'unreadable', 'tooLong', 'masked', 'empty'] as const;
    const found = new Map(kinds.map(kind => [kind, { count: 0, row: -1 }]));
    const note = (kind: (typeof kinds)[number], row: number) => {
      const entry = found.get(kind)!;
      if (entry.count++ === 0) entry.row = row;
    };
    let usable = 0;
    for (let row = 0; row < table.length; row++) {
      const isUnreadable = table.example.get(row) === 0;
      const isBad = isUnreadable || table.hasProblem(row, 'invalid_row');
      const counted = !isBad && table.isCounted(row);
      const isTooLong = counted && table.tokens.get(row) > maxLength;
      const isMasked = counted && table.labelTokens.get(row) === 0;
      if (isUnreadable) note('unreadable', row);
      if (isBad) note('bad', row);
      if (isTooLong) note('tooLong', row);
      if (isMasked) note('masked', row);
      else if (table.hasProblem(row, 'empty_answer')) note('empty', row);
      if (!isBad && !isMasked && !(isTooLong && truncation === 'drop')) usable++;
      await turn();
    }
    const [bad, unreadable, tooLong, masked, empty] = await Promise.all(
      kinds.map(async kind => {
        const { count, row } = found.get(kind)!;
        return { count, first: count === 0 ? null : { line: table.line(row), message: await this.firstFinding(row) } };
      }),
    );
    return { refusal: this.refusal, rows: table.length, usable, bad, unreadable, tooLong, masked, empty };
  }

  /** The worst problem of a row, in words. */
  private async firstFinding(row: number): Promise<string> {
    const detail = await this.detail(row);
    const finding = detail?.findings[0];
    if (finding) return finding.message;
    // Without a format rows are read, but not examined.
    try {
      this.opened().reader.parse(detail?.text ?? '');
      return '';
    } catch (error) {
      if (error instanceof InputError) return error.message;
      throw error;
    }
  }

  /** Resolves once the analysis has ended and no other was started meanwhile. */
  private async settled(): Promise<void> {
    let work: Promise<void>;
    do {
      work = this.work;
      await work;
    } while (work !== this.work);
  }

  private summaryOf(row: number): RowSummary {
    const { table } = this;
    const counted = table.isCounted(row);
    return {
      row,
      line: table.line(row),
      start: table.start(row),
      end: table.end(row),
      tokens: counted ? table.tokens.get(row) : null,
      labelTokens: counted ? table.labelTokens.get(row) : null,
      problems: table.problems(row),
    };
  }

  async detail(row: number): Promise<RowDetail | null> {
    const { table, reader, options, tokenizer, other } = this;
    if (!reader || row < 0 || row >= table.length) return null;
    const [text] = await reader.texts(table.places(row, row + 1));
    if (!options || !tokenizer) {
      return { ...this.summaryOf(row), text, findings: [], turns: [], runs: [] };
    }
    const examined = table.isCounted(row) ? this.examine(text, true) : this.analyseRow(row, text, true);
    const place = { text, start: table.start(row), line: table.line(row) };
    const findings: RowDetail['findings'] = await Promise.all(
      examined.problems.map(async problem =>
        problem.offset === undefined
          ? problem
          : { ...problem, place: await placeInFile(reader, place, problem.offset) },
      ),
    );
    const value = table.example.get(row);
    if (table.hasProblem(row, 'duplicate')) {
      const line = table.line(this.duplicates.find(value));
      findings.push({ code: 'duplicate', message: `same row as in line ${line}`, related: { line } });
    }
    if (table.hasProblem(row, 'in_validation') && other) {
      const line = other.table.line(other.set.find(value));
      const message = 'also in the other dataset of the run: validation rows must not be trained on';
      findings.push({ code: 'in_validation', message, related: { line, path: other.path } });
    }
    const encoded = examined.measured?.encoded ?? [];
    return {
      ...this.summaryOf(row),
      text,
      findings,
      turns: examined.example ? turnsOf(examined.example, options.trainOn) : [],
      runs: encoded.flatMap(each => labelledRuns(each, tokenizer, options.maxLength)),
    };
  }

  /** Makes `view` the current one; a later view aborts this one. */
  async setView(view: RowView): Promise<{ rows: number }> {
    this.viewAbort.abort();
    this.viewAbort = new AbortController();
    const { table, reader } = this;
    if (reader) this.order = await viewOfRows(table, reader, view, this.viewAbort.signal);
    return { rows: this.order?.length ?? table.length };
  }

  async list(from: number, to: number): Promise<ListedRow[]> {
    const { table, reader, order, options } = this;
    if (!reader) return [];
    const rows: ListedRow[] = [];
    const end = Math.min(to, order?.length ?? table.length);
    for (let position = Math.max(0, from); position < end; position++) {
      const row = order ? order[position] : position;
      const [text] = await reader.texts(table.places(row, row + 1));
      const count = options !== null && !table.isCounted(row);
      const examined = options && (count ? this.analyseRow(row, text, true) : this.examine(text, false));
      const excerpt = examined?.example ? excerptOf(examined.example) : null;
      rows.push({ ...this.summaryOf(row), excerpt: excerpt ?? text.slice(0, EXCERPT_LENGTH) });
    }
    return rows;
  }

  private tell(now = false): void {
    // A summary visits every row, so the more rows, the fewer summaries.
    const pauseMs = 150 + this.table.length / 4000;
    if (!now && performance.now() - this.reported < pauseMs) return;
    this.reported = performance.now();
    this.report(this.summary());
  }

  summary(): DatasetSummary {
    const { table, options, exact } = this;
    const { phase, share, error, contentHash, reusedRows } = this;
    const { maxLength, truncation } = this.settings ?? { maxLength: 0, truncation: 'end' as const };
    const format = options && {
      name: options.format.name,
      title: options.format.title,
      isUntrained: options.format.isUntrained === true,
    };
    return {
      ...{ phase, share, error, format, contentHash, reusedRows, maxLength },
      rows: table.length,
      exact: exact && (phase === 'ready' || phase === 'comparing'),
      problems: problemCounts(table),
      ...lengthStatistics(table, { maxLength, truncation }),
    };
  }
}

interface ExaminedRow {
  row: Row | null;
  example: Example | null;
  measured: MeasuredExample | null;
  problems: RowProblem[];
}

/** Everything that the results of a row depend on. */
function readingKey(settings: ReadingSettings): string {
  return JSON.stringify({ ...settings, compareWith: null });
}

/** Of the rows that were parsed. */
function fingerprintsOfTexts(table: RowTable): FingerprintSet {
  const set = new FingerprintSet(row => table.text.get(row));
  for (let row = 0; row < table.length; row++) if (table.isParsed(row)) set.add(row);
  return set;
}
