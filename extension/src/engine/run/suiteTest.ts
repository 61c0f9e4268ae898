// A suite asked of one model of a session, row by row, for the tests of an editor. Refuses rows that the model was trained on, as `evaluate`
// does, and keeps the report of a run's result with the run.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { CancelledError } from '../../core/codedError.js';
import { evaluationReport } from '../../core/evaluation/evaluationReport.js';
import type { JudgedRow } from '../../core/evaluation/judgedRow.js';
import type { SuiteRow } from '../../core/evaluation/suite.js';
import { InputError } from '../../core/inputError.js';
import type { JudgedAnswer, SuiteQuestions } from '../../protocol/sessionMessages.js';
import { fileHash } from '../data/fileHash.js';
import { readSuite } from '../data/readSuite.js';
import { BASE, type Session } from '../generation/session.js';
import { keepReport, RESULT } from '../runFolder/keptReports.js';
import { answerSuite } from './answerSuite.js';
import { checkContamination } from './contamination.js';

interface TestCalls {
  signal: AbortSignal;
  report(row: JudgedAnswer): void;
}

/**
 * @returns warnings, as sentences
 * @throws InputError for a wrong suite, an unknown row, a row that the model was trained on
 * @throws CancelledError if `signal` is aborted
 */
export async function testSuite(
  session: Pick<Session, 'facts' | 'adapters' | 'generate'>,
  { suite, ids, adapter, keep_in: folder }: SuiteQuestions,
  { signal, report }: TestCalls,
): Promise<string[]> {
  if (folder !== null && !existsSync(join(folder, 'run.json')))
    throw new InputError('this is not the folder of a run', { file: folder, key: 'keep_in' });
  const hash = await fileHash(suite);
  const rows = chosen(await readSuite(suite), ids, suite);
  const warnings: string[] = [];
  const reporter = { progress: () => {}, warn: (_code: string, message: string) => void warnings.push(message) };
  const { model } = session.facts;
  const attached = session.adapters().find(({ name }) => name === adapter);
  const tested = { name: adapter ?? BASE, path: adapter === null ? model : (attached?.path ?? '') };
  await checkContamination(rows, tested, model, reporter);
  const models = await answerSuite(session, rows, [tested.name], {
    ...{ reporter, signal },
    onJudged: row => report(judgedAnswer(row)),
  });
  if (signal.aborted) throw new CancelledError();
  if (folder !== null && ids === null) {
    // A comparison, which would need random numbers, has two models.
    const kept = evaluationReport([{ name: RESULT, rows: models[0]!.rows }], () => 0);
    keepReport(folder, { suite: { file: suite, hash }, report: kept });
  }
  return warnings;
}

/** @throws InputError for an id that no row has */
function chosen(rows: readonly SuiteRow[], ids: readonly string[] | null, file: string): readonly SuiteRow[] {
  if (ids === null) return rows;
  const known = new Map(rows.map(row => [row.id, row]));
  return ids.map(id => {
    const row = known.get(id);
    if (row) return row;
    throw new InputError(`no row has the id ${JSON.stringify(id)}`, { file, key: 'id', hint: 'Save the suite first.' });
  });
}

function judgedAnswer({ at, ...row }: JudgedRow): JudgedAnswer {
  return { ...row, line: at.line };
}
