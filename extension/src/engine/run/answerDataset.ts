// Questions from the rows of a dataset, for metrics of generated answers: each is asked as a row of a suite, with a metric where
// checks are. Called by `evaluate --dataset --metrics`.
import { writeJsonText } from '../../core/data/jsonText.js';
import type { JudgedRow } from '../../core/evaluation/judgedRow.js';
import { rougeWords } from '../../core/evaluation/rouge.js';
import { questionOf, type SuiteRow } from '../../core/evaluation/suite.js';
import { DEFAULT_CHECK, suiteRowOf } from '../../core/evaluation/suiteRow.js';
import type { TextMetric } from '../../core/evaluation/textMetrics.js';
import { InputError } from '../../core/inputError.js';
import { counted } from '../../core/units.js';
import type { DatasetConfig } from '../../protocol/runConfig.js';
import { readExamples } from '../data/loadDataset.js';
import type { Session } from '../generation/session.js';
import { answerSuite } from './answerSuite.js';
import type { Reporter } from './reporter.js';

/** Answer and metrics of a row, as in the command's JSON. */
export interface ScoredAnswer {
  line: number;
  answer: string;
  expected: string;
  metrics: Record<string, number>;
}

export interface QuestionOptions {
  /** Lines of rows that were evaluated; others, such as longer ones than the model reads, are not asked. */
  lines: ReadonlySet<number>;
  config: Pick<DatasetConfig, 'format' | 'columns'>;
  metrics: readonly TextMetric[];
  maxNewTokens: number;
  /** Whether conversations are asked as such; otherwise as plain text, if the format says how. */
  hasChatTemplate: boolean;
  reporter: Reporter;
}

/**
 * The rows that have a question and an answer in text, in file order. Of a conversation, its last answer.
 * @throws InputError if there are none
 */
export async function datasetQuestions(file: string, options: QuestionOptions): Promise<SuiteRow[]> {
  const { lines, config, metrics, maxNewTokens, hasChatTemplate, reporter } = options;
  const questions: SuiteRow[] = [];
  let rows = 0;
  for await (const { example, source } of readExamples(file, config)) {
    if (!lines.has(source.line)) continue;
    rows++;
    const made = suiteRowOf(example, { check: DEFAULT_CHECK, hasChatTemplate });
    if (made?.expected === undefined) continue;
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
      key: '--metrics',
      hint: 'Leave --metrics out: on these rows there are only loss and accuracy.',
    });
  const skipped = rows - questions.length;
  if (skipped > 0)
    reporter.warn('rows_not_asked', `${counted(skipped, 'row')} without a question and an answer in text: not asked`);
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
