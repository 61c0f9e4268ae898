// Reads the reports of evaluation suites that are kept with runs: of results and checkpoints in the folder of their run, of bases beside
// the runs that have them (in the folder of the runs, or of the race). Written by engine/runFolder/keptReports.ts; engine and host
// read the same scores from them.
import { join } from 'node:path';
import * as z from 'zod';
import { evaluationReportSchema } from '../protocol/answers.js';
import { namesIn, readText } from './regularFile.js';

const keptReportSchema = z.object({
  suite: z.object({ file: z.string(), hash: z.string() }),
  report: evaluationReportSchema,
});
export type KeptReport = z.infer<typeof keptReportSchema>;

/** A suite as it was when its report was made. */
export type Suite = KeptReport['suite'];

/** The name of a run's result in reports. */
export const RESULT = 'result';
/** The name of a race's base in reports. */
const RACE_BASE = 'base';

export const reportsFolder = (folder: string) => join(folder, 'evaluations');

type KeptFile = KeptReport & { path: string };

/** All reports of a folder, each with its file, by the files' names. */
export function keptReports(folder: string): KeptFile[] {
  const names = namesIn(reportsFolder(folder)).filter(name => name.endsWith('.json'));
  return names.toSorted().flatMap(name => {
    const path = join(reportsFolder(folder), name);
    const kept = readReport(path);
    return kept ? [{ ...kept, path }] : [];
  });
}

/** The report of a suite; null if there is none. */
export function keptReport(folder: string, suite: string): KeptFile | null {
  return keptReports(folder).find(kept => kept.suite.file === suite) ?? null;
}

/**
 * The mean score of a run's result over the rows of all suites; null if there is none, or one of them hasn't been answered.
 * @param folder of a run, or of a race for the base
 */
export function scoreIn(folder: string, suites: readonly string[]): number | null {
  const kept = suites.length === 0 ? [] : keptReports(folder);
  const models = suites.flatMap(file => {
    const known = kept.find(({ suite }) => suite.file === file)?.report.models;
    return known?.[RESULT] ?? known?.[RACE_BASE] ?? [];
  });
  const rows = models.reduce((sum, { total }) => sum + total, 0);
  if (rows === 0 || models.length < suites.length) return null;
  return models.reduce((sum, { score, total }) => sum + score * total, 0) / rows;
}

/** null if it isn't one. */
function readReport(path: string): KeptReport | null {
  try {
    return keptReportSchema.safeParse(JSON.parse(readText(path, 'refuse') ?? '')).data ?? null;
  } catch {
    return null;
  }
}
