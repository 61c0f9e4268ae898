// Questions from the rows of a dataset, for metrics of generated answers: each is asked as a row of a suite, with a metric where
// checks are. Called by `evaluate --dataset --metrics` and for the eval_metrics of a run.
import type { RowSource } from '../../core/data/example.js';
import { writeJsonText } from '../../core/data/jsonText.js';
import type { JudgedRow } from '../../core/evaluation/judgedRow.js';
import { rougeWords } from '../../core/evaluation/rouge.js';
import { questionOf, type SuiteRow } from '../../core/evaluation/suite.js';
import { DEFAULT_CHECK, suiteRowOf } from '../../core/evaluation/suiteRow.js';
import type { TextMetric } from '../../core/evaluation/textMetrics.js';
import { InputError } from '../../core/inputError.js';
import { counted } from '../../core/units.js';
import type { DatasetConfig } from '../../protocol/datasetConfig.js';
import { readExamples } from '../data/loadDataset.js';
import { RowNotes } from '../data/rowNotes.js';
import { MOST_ROWS, rowsFor } from '../generation/batch.js';
import { Session, type SessionOptions } from '../generation/session.js';
import type { RowSet } from '../training/stepPlan.js';
import { answerSuite } from './answerSuite.js';
import type { Reporter } from './reporter.js';

/** Answer and metrics of a row, as in the command's JSON. */
export interface ScoredAnswer {
  /** Among the rows that were evaluated. */
  row: number;
  line: number;
  answer: string;
  expected: string;
  metrics: Record<string, number>;
}

export interface QuestionOptions {
  /** Which rows of the file are asked: `indices` of a dataset that was loaded from it. */
  rows: RowSet;
  config: Pick<DatasetConfig, 'format' | 'columns'>;
  metrics: readonly TextMetric[];
  maxNewTokens: number;
  /** Whether conversations are asked as such; otherwise as plain text, if the format says how. */
  hasChatTemplate: boolean;
  reporter: Reporter;
  /** The option or key that asks for the metrics, for messages. */
  key: string;
}

/** Evenly spaced rows. @param count at most */
export function spacedRows({ dataset, indices }: RowSet, count: number): RowSet {
  const size = Math.min(count, indices.length);
  return {
    dataset,
    indices: Int32Array.from({ length: size }, (_, i) => indices[Math.floor((i * indices.length) / size)]!),
  };
}

/** A row of a dataset as a question. */
export interface DatasetQuestion extends SuiteRow {
  /** Its index in the dataset. */
  row: number;
}

/**
 * The rows that have a question and an answer in text, in file order. Of a conversation, its last answer.
 * @throws InputError if there are none
 */
export async function datasetQuestions(options: QuestionOptions): Promise<DatasetQuestion[]> {
  const { rows, config, metrics, maxNewTokens, hasChatTemplate, reporter, key } = options;
  const { dataset, indices } = rows;
  // Several rows may be on one line of the file, and some of its rows aren't in the dataset.
  const waiting = new Map(Array.from(indices, row => [dataset.numberOf(row), row]));
  const { file } = dataset;
  const questions: DatasetQuestion[] = [];
  const skipped = new RowNotes();
  let firstSkipped: RowSource | undefined;
  for await (const { example, source, number } of readExamples(file, config)) {
    if (waiting.size === 0) break;
    const row = waiting.get(number);
    if (row === undefined) continue;
    waiting.delete(number);
    const made = suiteRowOf(example, { check: DEFAULT_CHECK, hasChatTemplate });
    if (made?.expected === undefined) {
      skipped.add(source);
      firstSkipped ??= source;
      continue;
    }
    const { expected } = made;
    questions.push({
      row,
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
      line: firstSkipped?.line,
      key,
      hint:
        `Leave ${key} out: on these rows there are only loss and accuracy. ` +
        'Rows with a question and an answer have a prompt and a completion, or messages.',
    });
  if (skipped.count > 0)
    reporter.warn('rows_not_asked', skipped.describe('without a question and an answer in text: not asked'));
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
  questions: readonly DatasetQuestion[],
  model: string,
  reporter: Reporter,
): Promise<ScoredAnswer[]> {
  const { signal } = new AbortController();
  const models = await answerSuite(session, questions, [model], { reporter, signal });
  return models[0]!.rows.map((judged, i) => scoredAnswer(judged, questions[i]!.row));
}

function scoredAnswer({ at, answer, expected, checks }: JudgedRow, row: number): ScoredAnswer {
  const metrics = Object.fromEntries(checks.map(({ type, score }) => [type, score]));
  return { row, line: at.line, answer, expected: expected!, metrics };
}

/** Mean over the answers, by name. */
export function meanMetrics(answers: readonly ScoredAnswer[], metrics: readonly TextMetric[]): Record<string, number> {
  const mean = (name: string) => answers.reduce((sum, answer) => sum + answer.metrics[name]!, 0) / answers.length;
  return Object.fromEntries(metrics.map(({ name }) => [name, mean(name)]));
}
