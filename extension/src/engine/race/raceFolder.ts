// The folder of a race: race.json, inputs.json, runs/NAME-seedN, evaluations/ of the base, cache/, and the report. Reads what has been run, from the files
// alone. Used by runRace.ts and by `race --report`.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { schemaError } from '../../core/forms/zodSchema.js';
import { InputError } from '../../core/inputError.js';
import { expandRace, inRaceFile, type RaceEntry } from '../../core/race/expandRace.js';
import { folderFigures, type RunFigures } from '../../core/race/raceFigures.js';
import { initialRunState, reduceRun } from '../../core/runs/runState.js';
import { raceConfigSchema, type RaceConfig } from '../../protocol/raceConfig.js';
import { runConfigSchema } from '../../protocol/runConfig.js';
import { holderOf } from '../../system/fileClaim.js';
import { scoreIn } from '../../system/keptReports.js';
import { readJsonObject, writeJson } from '../files/jsonFile.js';
import { parseRun, readRunFile, type RunFile } from '../run/readRunFile.js';
import { readableEvents } from '../runFolder/eventLog.js';
import type { RaceInputs } from './planRace.js';

export const raceInputsSchema = z.object({ model: z.string(), train: z.string(), validation: z.string().nullable() });

/** What race.json of a race folder has: a race file with its run. */
export type StoredRace = RaceConfig & { run: Record<string, unknown> };

export const raceFile = (folder: string) => join(folder, 'race.json');
export const cacheFolder = (folder: string) => join(folder, 'cache');
export const commandsFile = (folder: string) => join(folder, 'commands.ndjson');
export const eventsFile = (run: string) => join(run, 'events.ndjson');
const inputsFile = (folder: string) => join(folder, 'inputs.json');

export function writeRace(folder: string, race: StoredRace, inputs: RaceInputs): void {
  writeJson(raceFile(folder), race);
  writeJson(inputsFile(folder), inputs);
}

/** null if the folder has none. @throws InputError if they are damaged */
export function readInputs(folder: string): RaceInputs | null {
  const file = inputsFile(folder);
  const raw = readJsonObject(file, 'refuse');
  if (!raw) return null;
  const result = raceInputsSchema.safeParse(raw);
  if (!result.success) throw schemaError(result.error, raceInputsSchema, raw, { file });
  return result.data;
}

/** @throws InputError if the folder has no race */
export function readRace(folder: string): StoredRace {
  const file = raceFile(folder);
  const raw = readJsonObject(file, 'refuse');
  if (!raw) throw noRace(folder);
  const result = raceConfigSchema.safeParse(raw);
  if (!result.success) throw schemaError(result.error, raceConfigSchema, raw, { file });
  if (typeof result.data.run === 'string')
    throw new InputError('in a race folder this is the run itself, not the path of a run file', { file, key: 'run' });
  inlineRun(result.data.run, file);
  return { ...result.data, run: result.data.run };
}

/** The run that a race file has in itself. @throws InputError with the key in the race file */
export function inlineRun(run: Record<string, unknown>, path: string): RunFile {
  try {
    return parseRun(run, path);
  } catch (error) {
    throw error instanceof InputError ? inRaceFile(error) : error;
  }
}

export function noRace(folder: string): InputError {
  return new InputError('this folder does not contain a race', {
    file: folder,
    hint: 'Pass the folder that `tunewright race` has written, or start a new race without --resume.',
  });
}

/** The race of a folder, with the figures of its runs so far. @throws InputError if the folder has no race */
export function readRaceFolder(folder: string): { race: StoredRace; runs: RunFigures[]; baseScore: number | null } {
  const race = readRace(folder);
  return {
    race,
    runs: expandRace(race, race.run, raceFile(folder)).map(entry => figuresOf(folder, entry)),
    baseScore: scoreIn(folder, suitesIn(race.run)),
  };
}

/** None for an entry whose changes give no run. */
function suitesIn(run: Record<string, unknown>): string[] {
  return runConfigSchema.safeParse(run).data?.dataset.suites ?? [];
}

/** Lines that are no events don't count, as in the editor. @throws InputError if run.json or the file of events can't be read */
export function figuresOf(folder: string, entry: RaceEntry): RunFigures {
  const run = join(folder, entry.folder);
  const events = readableEvents(eventsFile(run));
  const runFile = join(run, 'run.json');
  const config = existsSync(runFile) ? readRunFile(runFile, 'refuse').config : null;
  const figures = folderFigures(run, {
    state: events.length === 0 ? null : events.reduce(reduceRun, initialRunState),
    alive: holderOf(join(run, 'process.json')) !== null,
    config,
    // Suites may be added later, for runs that have finished.
    score: scoreIn(run, suitesIn(entry.run)),
  });
  return { name: entry.name, seed: entry.seed, ...figures };
}
