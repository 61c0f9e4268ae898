// A race from what its files say (protocol/raceMessages.ts): its entries, and the figures of their runs. Pure; the race's tab and the run
// panel show what follows from it.
import { raceConfigSchema, type RaceConfig } from '../../protocol/raceConfig.js';
import type { RaceFiles } from '../../protocol/raceMessages.js';
import { runConfigSchema } from '../../protocol/runConfig.js';
import { schemaError } from '../forms/zodSchema.js';
import { InputError } from '../inputError.js';
import { expandRace, inRaceFile, requireHeldOut, type RaceEntry } from './expandRace.js';
import { folderFigures, type RunFigures } from './raceFigures.js';

export interface RacedRuns {
  race: RaceConfig & { run: Record<string, unknown> };
  entries: RaceEntry[];
  /** In the order of `entries`. */
  runs: RunFigures[];
}

/**
 * @param file of the race, for messages
 * @throws InputError with the key of the race file that is wrong
 */
export function racedRuns({ race: raw, run: runFile, folders }: Omit<RaceFiles, 'baseScore'>, file: string): RacedRuns {
  if (!raw) throw new InputError('this is not a JSON object, or can’t be read', { file });
  const parsed = raceConfigSchema.safeParse(raw);
  if (!parsed.success) throw schemaError(parsed.error, raceConfigSchema, raw, { file });
  const run = typeof parsed.data.run === 'string' ? runFile : parsed.data.run;
  if (!run) throw new InputError('the run file can’t be read', { file, key: 'run' });
  const isNamed = run === runFile;
  const place = isNamed ? String(raw['run']) : file;
  const base = runConfigSchema.safeParse(run);
  if (!base.success) {
    const error = schemaError(base.error, runConfigSchema, run, { file: place });
    throw isNamed ? error : inRaceFile(error);
  }
  requireHeldOut(base.data, place, isNamed ? '' : 'run.');
  const entries = expandRace(parsed.data, run, file);
  return {
    race: { ...parsed.data, run },
    entries,
    runs: entries.map(({ name, seed, folder }) => ({ name, seed, ...(folders[folder] ?? notBegun(folder)) })),
  };
}

function notBegun(folder: string) {
  return folderFigures(folder, { state: null, alive: false, config: null, score: null });
}
