// Questions from the rows of a dataset, for metrics of generated answers: each is asked as a row of a suite, with a metric where
// checks are. Called by `evaluate --dataset --metrics` and for the eval_metrics of a run.
import { encodeExample } from '../../core/data/encodeExample.js';
import type { RowSource, SequenceExample } from '../../core/data/example.js';
import { writeJsonText } from '../../core/data/jsonText.js';
import type { JudgedRow } from '../../core/evaluation/judgedRow.js';
import { rougeWords } from '../../core/evaluation/rouge.js';
import { questionOf, type SuiteRow } from '../../core/evaluation/suite.js';
import { DEFAULT_CHECK, suiteRowOf } from '../../core/evaluation/suiteRow.js';
import type { TextMetric } from '../../core/evaluation/textMetrics.js';
import { InputError, unlessWrong } from '../../core/inputError.js';
import type { TextTokenizer } from '../../core/text/textTokenizer.js';
import { counted } from '../../core/units.js';
import type { DatasetConfig } from '../../protocol/runConfig.js';
import { readExamples } from '../data/loadDataset.js';
import { MOST_ROWS, rowsFor } from '../generation/batch.js';
import { Session, type SessionOptions } from '../generation/session.js';
import type { RowSet } from '../training/stepPlan.js';
import { answerSuite } from './answerSuite.js';
import type { Reporter } from './reporter.js';

/** Lines that a warning names. */
const NAMED_LINES = 5;

/** Answer and metrics of a row, as in the command's JSON. */
export interface ScoredAnswer {
  line: number;
  answer: string;
  expected: string;
  metrics: Record<string, number>;
}

/** Which rows of a file are asked, as they are read in file order. */
export interface AskedRows {
  includes(example: SequenceExample, source: RowSource): boolean;
  /** Whether none is left. */
  readonly isDone: boolean;
}

export interface QuestionOptions {
  rows: AskedRows;
  config: Pick<DatasetConfig, 'format' | 'columns'>;
  metrics: readonly TextMetric[];
  maxNewTokens: number;
  /** Whether conversations are asked as such; otherwise as plain text, if the format says how. */
  hasChatTemplate: boolean;
  reporter: Reporter;
  /** The option or key that asks for the metrics, for messages. */
  key: string;
}

/** The rows that were evaluated, by their lines; others, such as longer ones than the model reads, are not asked. */
export function rowsOnLines(lines: ReadonlySet<number>): AskedRows {
  return { includes: (_, { line }) => lines.has(line), isDone: false };
}

/**
 * Evenly spaced rows. They are recognized by their tokens too, since a list in JSON may have all of its rows on one line.
 * @param count at most
 */
export function spacedRows(
  { dataset, indices }: RowSet,
  count: number,
  { tokenizer, ...options }: Parameters<typeof encodeExample>[2] & { tokenizer: TextTokenizer },
): AskedRows {
  const size = Math.min(count, indices.length);
  const chosen = Array.from({ length: size }, (_, i) => indices[Math.floor((i * indices.length) / size)]!);
  const waiting = new Set(chosen);
  return {
    includes: (example, { line }) => {
      const onLine = [...waiting].filter(row => dataset.sourceOf(row).line === line);
      const encoded = onLine.length > 0 && unlessWrong(() => encodeExample(example, tokenizer, options));
      if (!encoded) return false;
      const found = onLine.find(row => dataset.get(row).inputIds.every((id, i) => id === encoded.inputIds[i]));
      return found !== undefined && waiting.delete(found);
    },
    get isDone() {
      return waiting.size === 0;
    },
  };
}

/**
 * The rows that have a question and an answer in text, in file order. Of a conversation, its last answer.
 * @throws InputError if there are none
 */
export async function datasetQuestions(file: string, options: QuestionOptions): Promise<SuiteRow[]> {
  const { rows, config, metrics, maxNewTokens, hasChatTemplate, reporter, key } = options;
  const questions: SuiteRow[] = [];
  const skipped: RowSource[] = [];
  for await (const { example, source } of readExamples(file, config)) {
    if (rows.isDone) break;
    if (!rows.includes(example, source)) continue;
    const made = suiteRowOf(example, { check: DEFAULT_CHECK, hasChatTemplate });
    if (made?.expected === undefined) {
      skipped.push(source);
      continue;
    }
    const { expected } = made;
    questions.push({
      id: `line ${source.line}`,
      at: source,
      // Without the boxed numbers and big integers by which rows keep how they are written.
      question: questionOf(JSON.parse(writeJsonText(made)), source),
      expected,
      checks: metrics.map(({ name, of }) => ({
        type: name,
        expected,
        judge: ({ text }) => ({ passed: true, score: of(text, expected) }),
      })),
      maxNewTokens,
      source: null,
    });
  }
  if (questions.length === 0)
    throw new InputError('no row has a question and an answer in text', {
      file,
      line: skipped[0]?.line,
      key,
      hint:
        `Leave ${key} out: on these rows there are only loss and accuracy. ` +
        'Rows with a question and an answer have a prompt and a completion, or messages.',
    });
  if (skipped.length > 0)
    reporter.warn(
      'rows_not_asked',
      `${counted(skipped.length, 'row')} without a question and an answer in text: not asked (${linesOf(skipped)})`,
    );
  if (metrics.some(({ latinWords }) => latinWords)) {
    const wordless = questions.filter(({ expected }) => rougeWords(expected!).length === 0).length;
    if (wordless > 0)
      reporter.warn(
        'rouge_no_words',
        `${counted(wordless, 'expected answer')} without a word of a-z or 0-9, which is all that ROUGE knows: it is 0 there`,
      );
  }
  return questions;
}

/** `lines 3, 7, ...` */
function linesOf(sources: readonly RowSource[]): string {
  const lines = sources.slice(0, NAMED_LINES).map(({ line }) => line);
  return `${sources.length === 1 ? 'line' : 'lines'} ${lines.join(', ')}${sources.length > NAMED_LINES ? ', ...' : ''}`;
}

/**
 * A session whose answers to the questions don't depend on earlier ones. Where two tokens are nearly equally likely, an eager step or a
 * batch of another size may choose another one: a resumed run must answer as an uninterrupted one, and `evaluate` as both.
 */
export function answeringSession(options: Omit<SessionOptions, 'rows'>, questions: readonly SuiteRow[]): Session {
  return new Session({ ...options, rows: rowsFor(Math.min(Math.max(1, questions.length), MOST_ROWS)) });
}

/**
 * Greedy answers.
 * @param model the name that the session has for it
 * @throws InputError with file and line for a row that the model can't be asked
 */
export async function answerQuestions(
  session: Pick<Session, 'generate'>,
  questions: readonly SuiteRow[],
  model: string,
  reporter: Reporter,
): Promise<ScoredAnswer[]> {
  const { signal } = new AbortController();
  const models = await answerSuite(session, questions, [model], { reporter, signal });
  return models[0]!.rows.map(scoredAnswer);
}

function scoredAnswer({ at, answer, expected, checks }: JudgedRow): ScoredAnswer {
  const metrics = Object.fromEntries(checks.map(({ type, score }) => [type, score]));
  return { line: at.line, answer, expected: expected!, metrics };
}

/** Mean over the answers, by name. */
export function meanMetrics(answers: readonly ScoredAnswer[], metrics: readonly TextMetric[]): Record<string, number> {
  const mean = (name: string) => answers.reduce((sum, answer) => sum + answer.metrics[name]!, 0) / answers.length;
  return Object.fromEntries(metrics.map(({ name }) => [name, mean(name)]));
}
