// A suite asked of one model of a session, row by row, for the tests of an editor. Refuses rows that the model was trained on, as `evaluate`
// does, and keeps reports for suiteResults.ts.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { CancelledError } from '../../core/codedError.js';
import { modelResult } from '../../core/evaluation/evaluationReport.js';
import type { JudgedRow } from '../../core/evaluation/judgedRow.js';
import type { SuiteRow } from '../../core/evaluation/suite.js';
import { InputError } from '../../core/inputError.js';
import type { JudgedAnswer, SuiteQuestions } from '../../protocol/sessionMessages.js';
import { fileHash } from '../data/fileHash.js';
import { readSuite } from '../data/readSuite.js';
import { BASE, type Session } from '../generation/session.js';
import { namesIn } from '../../system/regularFile.js';
import { keepReport } from '../runFolder/keptReports.js';
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
  { suite, ids, adapter, keep_in: folders, keep_as: name }: SuiteQuestions,
  { signal, report }: TestCalls,
): Promise<string[]> {
  for (const folder of folders)
    if (!holdsRuns(folder)) throw new InputError('this is not the folder of a run', { file: folder, key: 'keep_in' });
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
  if (ids === null)
    for (const folder of folders) keepReport(folder, { file: suite, hash }, { [name]: modelResult(models[0]!.rows) });
  return warnings;
}

/** A run, or a folder with runs in it, where reports of their base are. */
function holdsRuns(folder: string): boolean {
  const isRun = (path: string) => existsSync(join(path, 'run.json'));
  return isRun(folder) || namesIn(folder).some(name => isRun(join(folder, name)));
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
