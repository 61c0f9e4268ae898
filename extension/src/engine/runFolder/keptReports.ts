// Keeps reports of evaluation suites (system/keptReports.ts). Written by a race and by the editor's tests. A file per suite: a model's
// last answers replace those before, and answers to other rows than the suite now has are dropped.
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { keptReport, reportsFolder, type KeptReport, type Suite } from '../../system/keptReports.js';
import { keepPrivate } from '../../system/privateFolder.js';
import { writeJson } from '../files/jsonFile.js';

type KeptModels = KeptReport['report']['models'];

/** @param models what these answered, by name */
export function keepReport(folder: string, suite: Suite, models: KeptModels): void {
  if (existsSync(join(folder, 'run.json'))) keepPrivate(folder);
  const before = keptReport(folder, suite.file);
  const same = before?.suite.hash === suite.hash ? before.report.models : {};
  const report = { models: { ...same, ...models }, comparisons: [] };
  writeJson(before?.path ?? freePath(folder, suite.file), { suite, report } satisfies KeptReport);
}

/** Suites of different folders may have one name. */
function freePath(folder: string, suite: string): string {
  const name = basename(suite, '.jsonl');
  for (let i = 1; ; i++) {
    const path = join(reportsFolder(folder), i === 1 ? `${name}.json` : `${name}-${i}.json`);
    if (!existsSync(path)) return path;
  }
}
