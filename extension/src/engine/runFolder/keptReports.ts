// Keeps reports of evaluation suites in the folder that they are about (system/keptReports.ts). Written by a race and by the editor's
// tests; a suite's last report replaces the one before.
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { EvaluationReport } from '../../protocol/answers.js';
import { keptReport, reportsFolder, type Suite } from '../../system/keptReports.js';
import { writeJson } from '../files/jsonFile.js';

/** The name of a run's result in reports. */
export const RESULT = 'result';

export function keepReport(folder: string, kept: { suite: Suite; report: EvaluationReport }): void {
  writeJson(keptReport(folder, kept.suite.file)?.path ?? freePath(folder, kept.suite.file), kept);
}

/** Suites of different folders may have one name. */
function freePath(folder: string, suite: string): string {
  const name = basename(suite, '.jsonl');
  for (let i = 1; ; i++) {
    const path = join(reportsFolder(folder), i === 1 ? `${name}.json` : `${name}-${i}.json`);
    if (!existsSync(path)) return path;
  }
}
