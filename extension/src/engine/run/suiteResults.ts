// What the results, checkpoints and bases of runs have answered to suites, from the reports that are kept with them: scores, and each two
// models that have answered the same rows compared. For the Test Explorer and dashboards.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { baseName } from '../../core/evaluation/baseName.js';
import { comparisonOf, type ScoredModel } from '../../core/evaluation/evaluationReport.js';
import { unlessWrong } from '../../core/inputError.js';
import type { EvaluationReport, RunModel, SuiteResults } from '../../protocol/answers.js';
import { keptReports, RESULT, type KeptReport } from '../../system/keptReports.js';
import { createRng } from '../data/rng.js';
import { BASE } from '../generation/session.js';
import { readRunFile } from './readRunFile.js';

/** For the intervals of comparisons: equal answers give equal intervals wherever they are compared. */
export function comparisonDraws(): (limit: number) => number {
  const rng = createRng('evaluation');
  return limit => rng.int(limit);
}

interface Answered {
  suite: KeptReport['suite'];
  model: RunModel;
  report: EvaluationReport['models'][string];
}

/** @param folders of runs */
export function suiteResults(folders: readonly string[]): SuiteResults {
  const suites = new Map<string, Answered[]>();
  for (const answered of folders.flatMap(answersOf)) {
    const { hash } = answered.suite;
    suites.set(hash, [...(suites.get(hash) ?? []), answered]);
  }
  return [...suites.values()].map(models => ({
    file: models[0]!.suite.file,
    models: models.map(({ model, report: { passed, total, score } }) => ({ model, passed, total, score })),
    comparisons: models.flatMap((a, i) => models.slice(i + 1).flatMap(b => compared(a, b))),
  }));
}

/** The result first, then checkpoints from the last one on, then the base, as far as it was asked the same. */
function answersOf(folder: string): Answered[] {
  const own = keptReports(folder).flatMap(({ suite, report }) =>
    Object.entries(report.models).flatMap(([name, model]): Answered[] => {
      const step = /^step (\d+)$/.exec(name)?.[1];
      if (step !== undefined)
        return [{ suite, model: { folder, kind: 'checkpoint', step: Number(step) }, report: model }];
      return name === RESULT ? [{ suite, model: { folder, kind: 'result', step: null }, report: model }] : [];
    }),
  );
  const rank = ({ model }: Answered) => (model.kind === 'result' ? Infinity : model.step!);
  const asked = new Set(own.map(({ suite }) => suite.hash));
  const base = own.length === 0 ? [] : baseAnswers(folder).filter(({ suite }) => asked.has(suite.hash));
  return [...own.toSorted((a, b) => rank(b) - rank(a)), ...base];
}

/** Those of the base are beside the runs: of a race, which has one base, in the race's folder. */
function baseAnswers(folder: string): Answered[] {
  const run = unlessWrong(() => readRunFile(join(folder, 'run.json'), 'refuse'));
  if (!run) return [];
  const { model, engine } = run.config;
  const runsFolder = dirname(folder);
  const race = dirname(runsFolder);
  const places: [string, string][] = [[runsFolder, baseName({ model, ...engine })]];
  if (existsSync(join(race, 'race.json'))) places.push([race, BASE]);
  return places.flatMap(([place, name]) =>
    keptReports(place).flatMap(({ suite, report }): Answered[] => {
      const answers = report.models[name];
      return answers ? [{ suite, model: { folder, kind: 'base', step: null }, report: answers }] : [];
    }),
  );
}

function compared(a: Answered, b: Answered): SuiteResults[number]['comparisons'] {
  const areResults = a.model.kind === 'result' && b.model.kind === 'result';
  if (a.model.folder !== b.model.folder && !areResults) return [];
  const comparison = comparisonOf(scored(a), scored(b), comparisonDraws());
  return comparison ? [{ ...comparison, a: a.model, b: b.model }] : [];
}

/** Reports have the scores of checks, of which a row's is the mean. */
function scored({ report }: Answered): ScoredModel {
  const mean = (checks: readonly { score: number }[]) =>
    checks.reduce((sum, { score }) => sum + score, 0) / checks.length;
  return { name: '', rows: report.rows.map(({ passed, checks }) => ({ passed, score: mean(checks) })) };
}
