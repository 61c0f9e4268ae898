// Lets the base and adapters of a session answer the rows of a suite, several at once, and judges the answers. Called by `evaluate` and
// for the tests of an editor.
import { CancelledError } from '../../core/codedError.js';
import type { JudgedModel } from '../../core/evaluation/evaluationReport.js';
import { judgedRow, type JudgedRow } from '../../core/evaluation/judgedRow.js';
import type { SuiteRow } from '../../core/evaluation/suite.js';
import { InputError } from '../../core/inputError.js';
import { counted } from '../../core/units.js';
import type { GenerationAnswer } from '../../protocol/sessionMessages.js';
import { TimeLimitError, withinTime } from '../../system/boundedWork.js';
import { MOST_ROWS } from '../generation/batch.js';
import { BASE, type Session } from '../generation/session.js';
import type { Reporter } from './reporter.js';

/** JSON schemas come from files of others, and can be made to take exponentially long; others take a millisecond. */
const JUDGE_MS = 3000;

/** A row, asked of a model. */
interface Asked {
  row: SuiteRow;
  model: string;
}

interface Answered extends Asked {
  answer: GenerationAnswer;
  judged: JudgedRow;
}

interface AnswerOptions {
  reporter: Reporter;
  signal: AbortSignal;
  /** Called with each row as soon as it is judged. */
  onJudged?: (row: JudgedRow, model: string) => void;
}

/**
 * Greedy answers, all with the one base in memory.
 * @param models names under which the session has adapters, or BASE
 * @returns in that order; if `signal` is aborted, with those rows only that all models have answered
 * @throws InputError with file and line for a row that a model can't be asked
 */
export async function answerSuite(
  session: Pick<Session, 'generate'>,
  rows: readonly SuiteRow[],
  models: readonly string[],
  { reporter, signal, onJudged }: AnswerOptions,
): Promise<JudgedModel[]> {
  // A row is asked of all models before the next one, so that what an interruption leaves can be compared.
  const questions = rows.flatMap(row => models.map(model => ({ row, model })));
  const answered: Answered[] = [];
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  const waiting = questions.values();
  const askNext = async () => {
    for (const question of waiting) {
      if (either.aborted) return;
      const given = await ask(session, question, either);
      answered.push(given);
      onJudged?.(given.judged, given.model);
      const [done, all] = [answered.length, questions.length];
      reporter.progress('answer', done, all, `${done} of ${all}`);
    }
  };
  const worker = () =>
    askNext().catch((error: unknown) => {
      if (error instanceof CancelledError) return;
      failed.abort();
      throw error;
    });
  await Promise.all(Array.from({ length: MOST_ROWS }, worker));
  warn(answered, models, reporter);
  const of = (model: string) => new Map(answered.filter(each => each.model === model).map(each => [each.row, each]));
  const byModel = models.map(model => ({ model, of: of(model) }));
  const complete = rows.filter(row => byModel.every(({ of }) => of.has(row)));
  return byModel.map(({ model, of }) => ({ name: model, rows: complete.map(row => of.get(row)!.judged) }));
}

async function ask(session: Pick<Session, 'generate'>, question: Asked, signal: AbortSignal): Promise<Answered> {
  const { row, model } = question;
  const began = performance.now();
  try {
    const answer = await session.generate(
      {
        ...row.question,
        adapters: model === BASE ? [] : [{ name: model }],
        sampling: { max_new_tokens: row.maxNewTokens },
      },
      { signal },
    );
    const { text, tool_calls: toolCalls, usage } = answer;
    const seconds = (performance.now() - began) / 1000;
    const checked = { text, toolCalls, tokens: usage.completion_tokens };
    const judged = withinTime(JUDGE_MS, () => judgedRow(row, checked, seconds));
    return { ...question, answer, judged };
  } catch (error) {
    if (error instanceof TimeLimitError)
      throw new InputError(`the checks of an answer don't end: ${error.message}`, { ...row.at, key: 'checks' });
    if (!(error instanceof InputError)) throw error;
    throw new InputError(error.message, { ...error.record(), ...row.at });
  }
}

/** What would make a result surprising. */
function warn(answered: readonly Answered[], models: readonly string[], reporter: Reporter): void {
  for (const model of models) {
    const cut = answered.filter(each => each.model === model && each.answer.finish_reason === 'length').length;
    if (cut > 0)
      reporter.warn('answers_cut_off', `${counted(cut, 'answer')} of ${model} ended at max_new_tokens, unfinished`);
  }
  const lines = new Set(answered.filter(({ answer }) => answer.dropped_turns > 0).map(({ row }) => row.at.line));
  if (lines.size > 0)
    reporter.warn(
      'turns_dropped',
      `conversations longer than the context were asked without their beginning: lines ${[...lines].join(', ')}`,
    );
}
