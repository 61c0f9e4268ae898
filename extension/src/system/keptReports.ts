// Reads the reports of evaluation suites that are kept in the folder that they are about: of a run's result with the run, of the base
// of a race with the race. Written by engine/runFolder/keptReports.ts; engine and host read the same scores from them.
import { join } from 'node:path';
import * as z from 'zod';
import { namesIn, readText } from './regularFile.js';

/** What a report is found by, and its scores. Of the one model that it is about. */
const keptReportSchema = z.object({
  suite: z.object({ file: z.string(), hash: z.string() }),
  report: z.object({ models: z.record(z.string(), z.object({ total: z.number(), score: z.number() })) }),
});
type KeptReport = z.infer<typeof keptReportSchema>;

/** A suite as it was when its report was made. */
export type Suite = KeptReport['suite'];

export const reportsFolder = (folder: string) => join(folder, 'evaluations');

/** The report of a suite, and its file; null if there is none. */
export function keptReport(folder: string, suite: string): (KeptReport & { path: string }) | null {
  for (const name of namesIn(reportsFolder(folder)).toSorted()) {
    const path = join(reportsFolder(folder), name);
    const kept = name.endsWith('.json') ? readReport(path) : null;
    if (kept?.suite.file === suite) return { ...kept, path };
  }
  return null;
}

/**
 * The mean score over the rows of all suites; null if there is none, or one of them hasn't been answered.
 * @param folder of a run, or of a race for the base
 */
export function scoreIn(folder: string, suites: readonly string[]): number | null {
  const models = suites.flatMap(suite => Object.values(keptReport(folder, suite)?.report.models ?? {}).slice(0, 1));
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
