// What the dataset preview shows of a row: its length in tokens, how many of them are trained on, and its problems.
// Called for each row by the preview's worker. Lengths and labels come from encodeExample, as in the engine.
import { InputError } from '../inputError.js';
import type { TextTokenizer } from '../text/textTokenizer.js';
import { counted } from '../units.js';
import { emptyAnswer } from './emptyAnswer.js';
import { encodeExample, type EncodedRow } from './encodeExample.js';
import { countLabels, IGNORE_LABEL, type Example, type Row, type SequenceExample } from './example.js';
import type { DatasetFormat } from './formats/datasetFormat.js';
import { writeJsonText } from './jsonText.js';
import { maskedReason } from './maskedReason.js';
import { mapColumns, type ColumnMapping } from './resolveFormat.js';
import { findRoleFault } from './roleOrder.js';

/** All kinds of problems, worst first. Determines the order of the preview's list and the bits of the worker's table. */
export const PROBLEM_CODES = [
  'invalid_json',
  'invalid_row',
  'wrong_role_order',
  'all_masked',
  'empty_answer',
  'truncated_answer',
  'in_validation',
  'duplicate',
  'same_answers',
  'unlocated_turn',
] as const;
export type ProblemCode = (typeof PROBLEM_CODES)[number];

export interface RowProblem {
  code: ProblemCode;
  /** A sentence without a full stop, as shown in the Problems panel. */
  message: string;
  hint?: string;
  /** Of an error in the row's text, in UTF-16 units from its beginning. */
  offset?: number;
}

/** How a run would read the rows: from a run file's dataset block, or the preview's settings. */
export interface ReadingOptions {
  format: DatasetFormat;
  columns: ColumnMapping;
  maxLength: number;
  trainOn: 'completions' | 'all';
  truncation: 'drop' | 'end' | 'error';
  /** Jinja source to use instead of the model's template. */
  chatTemplate: string | null;
}

/** Parses the row; `example` is null if that fails. */
export function readExample(row: Row, options: ReadingOptions): { example: Example | null; problems: RowProblem[] } {
  const mapped = mapColumns(row, options.columns);
  const fault = findRoleFault(mapped);
  try {
    const example = options.format.parse(mapped, { file: '', line: 0 });
    const problems: RowProblem[] = fault ? [{ code: 'wrong_role_order', message: fault.message }] : [];
    return { example, problems };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const code = fault ? 'wrong_role_order' : 'invalid_row';
    return { example: null, problems: [{ code, message: fault?.message ?? error.message, hint: error.hint }] };
  }
}

export interface MeasuredExample {
  /** Before truncation; empty if the tokenizer or the chat template rejects the row. Two of a pair, without labels. */
  encoded: EncodedRow[];
  /** Of a pair: of the longer one. */
  tokens: number;
  /** Number of label tokens after truncation to maxLength. */
  labelTokens: number;
  problems: RowProblem[];
}

export function measureExample(example: Example, tokenizer: TextTokenizer, options: ReadingOptions): MeasuredExample {
  if (example.kind === 'preference') return measurePair(example, tokenizer, options);
  return measureSequence(example, tokenizer, options);
}

/** A pair: both answers with the prompt. Nothing trains on it, so no token has a label. */
function measurePair(
  pair: Extract<Example, { kind: 'preference' }>,
  tokenizer: TextTokenizer,
  options: ReadingOptions,
): MeasuredExample {
  const answers = (['chosen', 'rejected'] as const).map(name => {
    const { problems, ...measured } = measureSequence(pair[name], tokenizer, options);
    return { ...measured, problems: problems.map(each => ({ ...each, message: `${name}: ${each.message}` })) };
  });
  const problems = answers.flatMap(answer => answer.problems);
  if (writeJsonText(pair.chosen) === writeJsonText(pair.rejected)) {
    problems.push({ code: 'same_answers', message: 'the chosen answer and the rejected one are the same' });
  }
  const encoded = answers.flatMap(answer => answer.encoded);
  for (const { labels } of encoded) labels.fill(IGNORE_LABEL);
  return { encoded, tokens: Math.max(...answers.map(({ tokens }) => tokens)), labelTokens: 0, problems };
}

function measureSequence(example: SequenceExample, tokenizer: TextTokenizer, options: ReadingOptions): MeasuredExample {
  let encoded: EncodedRow;
  try {
    encoded = encodeExample(example, tokenizer, options);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const { message, hint } = error;
    return { encoded: [], tokens: 0, labelTokens: 0, problems: [{ code: 'invalid_row', message, hint }] };
  }
  const { labels, unlocatedTurns } = encoded;
  const { maxLength } = options;
  const tokens = labels.length;
  const labelTokens = countLabels(labels, 1, maxLength);
  const lost = countLabels(labels, Math.max(1, maxLength), tokens);
  const empty = emptyAnswer(example);
  const problems: RowProblem[] = [];
  if (lost > 0 && (labelTokens > 0 || options.truncation !== 'end')) {
    const consequence = {
      end: `the last ${counted(lost, 'token')} of the answer are cut off`,
      drop: 'the row is skipped',
      error: 'the run would stop here',
    }[options.truncation];
    const message = `${counted(tokens, 'token')} exceed max_length (${maxLength}): ${consequence}`;
    problems.push({ code: 'truncated_answer', message });
  } else if (labelTokens === 0 && lost === 0 && empty) {
    problems.push({ code: 'empty_answer', message: `${empty}: no token of this row is trained on` });
  } else if (labelTokens === 0) {
    const message =
      lost > 0
        ? `the answer begins after max_length (${maxLength} of ${counted(tokens, 'token')}): no token is trained on`
        : `no token of this row is trained on: ${maskedReason(example, encoded)}`;
    problems.push({ code: 'all_masked', message });
  }
  if (labelTokens > 0 && empty) {
    problems.push({ code: 'empty_answer', message: `${empty}: the model is trained to say nothing there` });
  }
  if (unlocatedTurns.length > 0) {
    const message = `the chat template rewrites message ${unlocatedTurns.join(', ')} beyond recognition: no loss on it`;
    problems.push({ code: 'unlocated_turn', message });
  }
  return { encoded: [encoded], tokens, labelTokens, problems };
}

/** A part of a row's text that is trained on, context, or cut off. */
export interface LabelledRun {
  text: string;
  kind: 'trained' | 'masked' | 'cut';
  tokens: number;
}

/** The row's text as the model reads it, split where the kind of its tokens changes. */
export function labelledRuns({ inputIds, labels }: EncodedRow, tokenizer: TextTokenizer, maxLength: number) {
  const kindOf = (i: number): LabelledRun['kind'] =>
    i >= maxLength ? 'cut' : i > 0 && labels[i] !== IGNORE_LABEL ? 'trained' : 'masked';
  const runs: LabelledRun[] = [];
  let before = '';
  for (let start = 0; start < inputIds.length;) {
    let end = start + 1;
    while (end < inputIds.length && kindOf(end) === kindOf(start)) end++;
    // Decoded from the start each time: some tokenizers would drop the leading space of a part.
    const through = tokenizer.decode(inputIds.subarray(0, end));
    runs.push({ text: through.slice(before.length), kind: kindOf(start), tokens: end - start });
    before = through;
    start = end;
  }
  return runs;
}
