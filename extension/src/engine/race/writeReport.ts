// Writes the report of a race folder into it: report.md, its pictures, and runs.csv. Called by the `race` command, at the end of a
// race and for --report.
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import type { RaceLimits, RunFigures } from '../../core/race/raceFigures.js';
import { raceReport } from '../../core/race/raceReport.js';
import { writeFileAtomically } from '../files/atomicFile.js';
import { readRaceFolder } from './raceFolder.js';

/** @returns the runs and the path of report.md @throws InputError if the folder has no race, or can't be written */
export function writeReport(folder: string, limits: RaceLimits): { report: string; runs: RunFigures[] } {
  const { race, runs, baseScore } = readRaceFolder(folder);
  const listed = runs.map(run => ({ ...run, run: relative(folder, run.run).split(sep).join('/') }));
  const files = raceReport({ race, runs: listed, limits, baseScore });
  for (const name of existsSync(folder) ? readdirSync(folder) : [])
    if (/^(loss|score)-\w+\.svg$/.test(name) && !files.has(name)) rmSync(join(folder, name));
  for (const [name, content] of files) writeFileAtomically(join(folder, name), append => append(Buffer.from(content)));
  return { report: join(folder, 'report.md'), runs };
}
