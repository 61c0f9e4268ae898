// Reports of evaluation suites, kept in the folder that they are about: of a run's result with the run, of the base of a race with the race.
// Written by a race and by the editor's tests; a suite's last report replaces the one before.
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import * as z from 'zod';
import { unlessWrong } from '../../core/inputError.js';
import { evaluationReportSchema } from '../../protocol/answers.js';
import { namesIn } from '../../system/regularFile.js';
import { readJsonObject, writeJson } from '../files/jsonFile.js';

const keptReportSchema = z.object({
  suite: z.object({ file: z.string(), hash: z.string() }),
  report: evaluationReportSchema,
});
type KeptReport = z.infer<typeof keptReportSchema>;

/** A suite as it is now. */
export type Suite = KeptReport['suite'];

/** The name of a run's result in reports. */
export const RESULT = 'result';

const folderOf = (folder: string) => join(folder, 'evaluations');

/** The report of a suite; null if there is none. */
export function keptReport(folder: string, suite: string): KeptReport | null {
  return found(folder, suite)?.kept ?? null;
}

export function keepReport(folder: string, kept: KeptReport): void {
  writeJson(found(folder, kept.suite.file)?.path ?? freePath(folder, kept.suite.file), kept);
}

function found(folder: string, suite: string): { path: string; kept: KeptReport } | null {
  for (const name of namesIn(folderOf(folder)).toSorted()) {
    const path = join(folderOf(folder), name);
    const kept = name.endsWith('.json') ? readReport(path) : null;
    if (kept?.suite.file === suite) return { path, kept };
  }
  return null;
}

/** null if it isn't one. */
function readReport(path: string): KeptReport | null {
  return unlessWrong(() => keptReportSchema.safeParse(readJsonObject(path, 'refuse')).data ?? null);
}

/** Suites of different folders may have one name. */
function freePath(folder: string, suite: string): string {
  const name = basename(suite, '.jsonl');
  for (let i = 1; ; i++) {
    const path = join(folderOf(folder), i === 1 ? `${name}.json` : `${name}-${i}.json`);
    if (!existsSync(path)) return path;
  }
}
