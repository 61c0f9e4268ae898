// `tunewright evaluate --suite`: the base and adapters answer the rows of a suite; a table, JSON and JUnit XML of what they pass.
// Ctrl-C ends it with the rows that are answered.
import { basename, resolve } from 'node:path';
import { CancelledError } from '../../core/codedError.js';
import { InputError } from '../../core/inputError.js';
import { comparisonText } from '../../core/evaluation/comparisonText.js';
import { evaluationReport, type JudgedModel } from '../../core/evaluation/evaluationReport.js';
import { junitXml } from '../../core/evaluation/junitXml.js';
import { counted, percent } from '../../core/units.js';
import type { EvaluationReport } from '../../protocol/answers.js';
import { readSuite } from '../data/readSuite.js';
import { writeFileAtomically } from '../files/atomicFile.js';
import { checkSecondFile } from '../files/outputFile.js';
import { BASE } from '../generation/session.js';
import { answerSuite } from '../run/answerSuite.js';
import { checkContamination } from '../run/contamination.js';
import { comparisonDraws } from '../run/suiteResults.js';
import { namedAdapters } from '../serve/modelNames.js';
import { onInterruption } from './failure.js';
import { print, printJson, printNote } from './print.js';
import { progressDisplay } from './progressDisplay.js';
import { sessionOf, type SessionFlags } from './sessionOptions.js';
import { table } from './table.js';

export interface SuiteFlags extends SessionFlags {
  suite: string;
  /** Whether the base answers, too. */
  base: boolean;
  junit?: string;
  failUnder?: number;
  json?: boolean;
}

/** @throws CancelledError after Ctrl-C, once the results so far are printed */
export async function evaluateSuite(flags: SuiteFlags): Promise<void> {
  const rows = await readSuite(flags.suite);
  if (flags.junit !== undefined) checkSecondFile(resolve(flags.junit), resolve(flags.suite), '--junit');
  const named = namedAdapters(flags.adapter ?? []);
  const adapters = named.map(({ name }) => name);
  if (!flags.base && adapters.length === 0)
    throw new InputError('without the base there is nothing to evaluate', {
      key: '--no-base',
      hint: 'Name an adapter, or leave it out.',
    });
  const progress = progressDisplay();
  for (const tested of [{ name: BASE, path: flags.model }, ...named])
    await checkContamination(rows, tested, flags.model, progress);
  progress.finish();
  const session = await sessionOf(flags);
  const stop = new AbortController();
  const settled = onInterruption(() => stop.abort());
  let models: JudgedModel[];
  try {
    models = await answerSuite(session, rows, flags.base ? [BASE, ...adapters] : adapters, {
      reporter: progress,
      signal: stop.signal,
    });
  } finally {
    progress.finish();
    session.dispose();
    settled();
  }
  const report = evaluationReport(models, comparisonDraws);
  if (flags.json) printJson(report);
  else print(reportText(report, models));
  if (flags.junit !== undefined) {
    const xml = junitXml(basename(flags.suite), models);
    writeFileAtomically(resolve(flags.junit), append => append(Buffer.from(xml)));
  }
  if (stop.signal.aborted)
    throw new CancelledError(`Stopped: ${models[0]!.rows.length} of ${counted(rows.length, 'row')} are evaluated.`);
  if (flags.failUnder !== undefined) checkScores(report, adapters, flags.failUnder);
}

/**
 * Exit code 1 and a note if an adapter, or the base if there is none, has a lower score. That is a result and no failure of the command,
 * so that standard output stays what it is.
 */
function checkScores({ models }: EvaluationReport, adapters: readonly string[], failUnder: number): void {
  const tested = adapters.length > 0 ? adapters : [BASE];
  // Means of fractions are off in their last bits.
  const low = tested.filter(name => models[name]!.score < failUnder - 1e-12);
  if (low.length === 0) return;
  printNote(
    `below --fail-under ${failUnder}: ${low.map(name => `${name} ${models[name]!.score.toFixed(3)}`).join(', ')}`,
  );
  process.exitCode = 1;
}

function reportText(report: EvaluationReport, models: readonly JudgedModel[]): string {
  const total = models[0]!.rows.length;
  const scores = Object.entries(report.models).map(([name, { passed, score }]) => [
    name,
    `${passed} of ${total}`,
    total === 0 ? '' : percent(passed / total),
    score.toFixed(3),
  ]);
  const failing = Array.from({ length: total }, (_, i) => models.map(({ rows }) => rows[i]!))
    .filter(answers => answers.some(({ passed }) => !passed))
    .map(answers => [answers[0]!.id, ...answers.map(({ checks }) => failedChecks(checks))]);
  return [
    table([['model', 'passed', '', 'score'], ...scores], [1, 2, 3]),
    ...(failing.length > 0 ? [table([['not passed by all', ...models.map(({ name }) => name)], ...failing])] : []),
    ...(report.comparisons.length > 0 ? [report.comparisons.map(comparisonText).join('\n')] : []),
  ].join('\n\n');
}

function failedChecks(checks: JudgedModel['rows'][number]['checks']): string {
  const failed = checks.filter(({ passed }) => !passed).map(({ type }) => type);
  return failed.length === 0 ? 'passed' : failed.join(', ');
}
