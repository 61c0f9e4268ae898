// What a written model is compared on: rows that its run held out, else texts of many kinds, and the answers of the run to its sample
// prompts. Called by the certificate.
import { IGNORE_LABEL, countLabels, type EncodedExample } from '../../core/data/example.js';
import { unlessWrong } from '../../core/inputError.js';
import { checkEmbedded } from '../../core/text/embeddedIds.js';
import type { TextTokenizer } from '../../core/text/textTokenizer.js';
import type { EngineEvent } from '../../protocol/engineEvent.js';
import type { ModelFiles } from '../files/tensorSource.js';
import { promptIds } from '../generation/prompt.js';
import type { Architecture } from '../models/architecture.js';
import { endTokensOf } from '../models/endTokens.js';
import { usableLength } from '../peft/attachedMethod.js';
import { excludedRows } from '../run/excludedRows.js';
import { ALL_TOKENS, generalRows } from '../run/generalRows.js';
import { readRunFile, type RunFile } from '../run/readRunFile.js';
import { silentReporter, type Reporter } from '../run/reporter.js';
import { loadRows } from '../run/runRows.js';
import { statOf } from '../../system/fileStat.js';
import { readEvents } from '../runFolder/eventLog.js';
import { RunFolder } from '../runFolder/runFolder.js';

export interface HeldOut {
  rows: EncodedExample[];
  /** What the rows are. */
  named: string;
  /** Of the run. */
  prompts: string[];
  /** Prompts with the answers that the run's last weights gave; labels are on the answers. */
  answers: EncodedExample[];
}

export interface HeldOutOptions {
  /** The model's, with the tokenizer and template that it is exported with. */
  files: ModelFiles;
  tokenizer: TextTokenizer;
  architecture: Architecture;
  /** Rows of its embedding. */
  embeddingRows: number;
  /** Folder of the run that it comes from, or null. */
  run: string | null;
  /** false: only the prompts are asked for. */
  compare: boolean;
  /** File to use instead of the run's rows. */
  generalTexts: string | null;
  reporter: Reporter;
}

/** Tokens of a validation row that are used. */
const ROW_TOKENS = 48;
/** Of these, tokens before the first one that is predicted. */
const TOKENS_BEFORE = 12;
/** Larger training files aren't read for the share of them that the run held out. */
const MOST_BYTES = 64e6;

/** @throws InputError if `generalTexts` can't be read, or has nothing to predict */
export async function heldOut(options: HeldOutOptions): Promise<HeldOut> {
  const { files, tokenizer, run: folder, compare, generalTexts } = options;
  const run = folder === null ? null : unlessWrong(() => readRunFile(RunFolder.open(folder).runFile, 'refuse'));
  const prompts = run?.config.samples.prompts ?? [];
  if (!compare) return { rows: [], named: '', prompts, answers: [] };
  if (!files.tokenizer)
    return { rows: spreadRows(options), named: 'token ids of the whole vocabulary', prompts: [], answers: [] };
  const events = folder === null ? [] : (unlessWrong(() => readEvents(RunFolder.open(folder).eventsFile)) ?? []);
  const answers = answersOf(events, prompts, options);
  const validation = run && generalTexts === null ? await validationRows(run, events, options) : [];
  if (validation.length > 0) return { rows: validation, named: 'validation rows of the run', prompts, answers };
  const { architecture, embeddingRows, reporter } = options;
  const rows = await generalRows({
    file: generalTexts,
    tokenizer,
    embeddingRows,
    usableLength: usableLength(architecture, null),
    reporter,
    key: '--general-texts',
  });
  return { rows, named: generalTexts === null ? 'texts of many kinds' : 'rows of --general-texts', prompts, answers };
}

/** Rows for a model without a tokenizer. */
function spreadRows({ architecture, embeddingRows }: HeldOutOptions): EncodedExample[] {
  const length = Math.min(32, usableLength(architecture, null));
  return Array.from({ length: 4 }, (_, row) => {
    const inputIds = Int32Array.from({ length }, (_id, i) => ((row * length + i) * 7919) % embeddingRows);
    const labels = inputIds.slice();
    labels[0] = IGNORE_LABEL;
    return { inputIds, labels };
  });
}

/** SHA-256 of the training file of the run. */
function trainedHash(events: readonly EngineEvent[]): string | undefined {
  return events.findLast(event => event.type === 'started')?.dataset_hash;
}

/** The first of them; none if they aren't there as they were, or take too long to find. */
async function validationRows(
  run: RunFile,
  events: readonly EngineEvent[],
  { files, tokenizer, architecture, embeddingRows }: HeldOutOptions,
): Promise<EncodedExample[]> {
  const { dataset } = run.config;
  const { validation } = dataset;
  if (validation === null) return [];
  const room = usableLength(architecture, null);
  // A file of its own is read as training rows are, which spares reading the others.
  const config = typeof validation === 'string' ? { ...dataset, train: validation, validation: null } : dataset;
  const rows: EncodedExample[] = [];
  try {
    if ((statOf(run.resolvePath(config.train))?.size ?? Infinity) > MOST_BYTES) return [];
    const loaded = await loadRows(
      { ...run, config: { ...run.config, dataset: config } },
      { files, tokenizer, architecture: { ...architecture, vocabSize: embeddingRows } },
      { maxLength: Math.min(dataset.max_length, room), limitedBy: null },
      typeof validation === 'string' ? null : excludedRows(run),
      silentReporter,
      new AbortController().signal,
    );
    const { dataset: opened, indices } = loaded.validation ?? loaded.train;
    try {
      if (loaded.validation && opened.stats.contentHash !== trainedHash(events)) return [];
      let tokens = 0;
      for (const i of Array.from(indices)) {
        const row = fromFirstLabel(opened.get(i), Math.min(ROW_TOKENS, room));
        if (tokens + row.inputIds.length > ALL_TOKENS) break;
        if (countLabels(row.labels) > 0) rows.push(row);
        tokens += row.inputIds.length;
      }
    } finally {
      opened.close();
    }
  } catch {
    // Files that were moved or changed since: other rows do as well.
    return [];
  }
  return rows;
}

/** The part of a row with its first labels. */
function fromFirstLabel({ inputIds, labels }: EncodedExample, length: number): EncodedExample {
  const first = labels.findIndex((label, i) => i > 0 && label !== IGNORE_LABEL);
  const begin = Math.max(0, Math.min(first - TOKENS_BEFORE, labels.length - length));
  const row = { inputIds: inputIds.slice(begin, begin + length), labels: labels.slice(begin, begin + length) };
  row.labels[0] = IGNORE_LABEL;
  return row;
}

/** The last answers of a run, as many as there is room for; none of a prompt that was never answered. */
function answersOf(
  events: readonly EngineEvent[],
  prompts: readonly string[],
  { files, tokenizer, architecture, embeddingRows }: HeldOutOptions,
): EncodedExample[] {
  const [end] = endTokensOf({ tokenizer, files });
  const longest = Math.min(ALL_TOKENS, usableLength(architecture, null));
  let tokens = 0;
  return prompts.flatMap(prompt => {
    const sample = events.findLast(event => event.type === 'sample' && event.prompt === prompt);
    if (sample?.type !== 'sample') return [];
    return (
      unlessWrong(() => {
        const asked = promptIds(tokenizer, embeddingRows, prompt);
        const answer = tokenizer.encode(sample.text, { addSpecialTokens: false });
        checkEmbedded(answer, embeddingRows, tokenizer);
        const inputIds = Int32Array.from([...asked, ...answer, ...(end === undefined ? [] : [end])]);
        const labels = inputIds.map((id, i) => (i === 0 || i < asked.length ? IGNORE_LABEL : id));
        const row = { inputIds: inputIds.slice(0, longest), labels: labels.slice(0, longest) };
        if (tokens + row.inputIds.length > ALL_TOKENS || countLabels(row.labels) === 0) return [];
        tokens += row.inputIds.length;
        return [row];
      }) ?? []
    );
  });
}
