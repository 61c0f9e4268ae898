// Reads a race file and plans every run of it as `train` would, so that what is wrong with any of them is said before the first one
// begins. Called by runRace.ts; opens no backend and writes nothing but tokens into the cache.
import { dirname, isAbsolute, resolve } from 'node:path';
import { schemaError } from '../../core/forms/zodSchema.js';
import { InputError } from '../../core/inputError.js';
import { expandRace, requireHeldOut, stepsAsDuration, type RaceEntry } from '../../core/race/expandRace.js';
import { raceConfigSchema, type RaceConfig } from '../../protocol/raceConfig.js';
import { MAX_STEPS, type RunConfig } from '../../protocol/runConfig.js';
import { readJsonObject } from '../files/jsonFile.js';
import { findInstallation } from '../install/installation.js';
import { modelHash } from '../run/baseEvaluation.js';
import { OwnedResources } from '../run/ownedResources.js';
import { planRun, type PlannedRun, type RunRequest } from '../run/prepareRun.js';
import { checkRun } from '../ray/jobPlan.js';
import { parseRun, type RunFile } from '../run/readRunFile.js';
import { silentReporter } from '../run/reporter.js';
import { absolutePaths } from '../run/resolvedRun.js';
import { usableWeights } from '../run/weightSettings.js';
import { planSteps, type StepPlan } from '../training/stepPlan.js';
import { inlineRun } from './raceFolder.js';

/** A race file whose run file has been read. */
export interface RaceFile {
  path: string;
  /** With the content of the run file, its paths absolute. */
  race: RaceConfig & { run: Record<string, unknown> };
  /** The run file; the race file if it has the run itself. */
  runPath: string;
}

/** @throws InputError with file and key */
export function readRaceFile(path: string): RaceFile {
  const raw = readJsonObject(path);
  if (!raw)
    throw new InputError('the race file does not exist', {
      file: path,
      hint: 'A race file is JSON with "run" and "vary"; see media/examples/methods.race.json.',
    });
  const result = raceConfigSchema.safeParse(raw);
  if (!result.success) throw schemaError(result.error, raceConfigSchema, raw, { file: path });
  const { run } = result.data;
  const read = typeof run === 'string' ? readRun(run, path) : { runPath: path, run: inlineRun(run, path) };
  requireHeldOut(read.run.config, read.runPath, read.runPath === path ? 'run.' : '');
  return { path, race: { ...result.data, run: absolutePaths(read.run) }, runPath: read.runPath };
}

function readRun(reference: string, path: string): { runPath: string; run: RunFile } {
  const runPath = isAbsolute(reference) ? reference : resolve(dirname(resolve(path)), reference);
  const raw = readJsonObject(runPath);
  if (!raw)
    throw new InputError(`the run file ${reference} does not exist`, {
      file: path,
      key: 'run',
      hint: 'A path here is relative to the race file.',
    });
  return { runPath, run: parseRun(raw, runPath) };
}

/** A run of the race, checked. */
export interface PlannedEntry extends RaceEntry {
  /** The run file as the run folder has it, with defaults. */
  config: RunConfig;
}

export interface RacePlan {
  entries: PlannedEntry[];
  /** Hashes of what all runs have in common, to notice that it has changed. */
  inputs: RaceInputs;
}

export interface RaceInputs {
  model: string;
  train: string;
  validation: string | null;
}

/** @throws InputError with file and key for anything wrong with any of the runs */
export async function planRace(
  file: RaceFile,
  { signal, cache }: Pick<RunRequest, 'signal' | 'cache'>,
): Promise<RacePlan> {
  const entries: PlannedEntry[] = [];
  let inputs: RaceInputs | null = null;
  for (const entry of expandRace(file.race, file.race.run, file.path)) {
    const owned = new OwnedResources();
    try {
      const run = parseRun(entry.run, file.path);
      const planned = await planRun(run, { reporter: silentReporter, signal, cache }, owned);
      if (run.config.engine.backend === 'ray')
        checkRun(planned, planSteps(planned.rows.train, planned.shape, run.config.training));
      else await checkWeights(planned);
      inputs ??= await inputsOf(planned);
      entries.push({ ...entry, config: absolutePaths(withSteps(planned, file)) as RunConfig });
    } catch (error) {
      throw relocated(error, entry, file);
    } finally {
      owned.dispose();
    }
  }
  return { entries, inputs: inputs! };
}

/** What the run checks once a backend is open, which it isn't here. */
async function checkWeights({ run: { config, method } }: PlannedRun): Promise<void> {
  const { engine } = config;
  const isInstalled = (await findInstallation()) !== null;
  await usableWeights(
    { base_weights: engine.base_weights, precision: 'float32' },
    {
      backend: { name: engine.backend !== 'wasm' && isInstalled ? 'tensorflow' : 'wasm' },
      method,
      reporter: silentReporter,
      threads: engine.threads,
    },
  );
}

async function inputsOf({ onDisk, rows: { train, validation } }: PlannedRun): Promise<RaceInputs> {
  const { dataset } = validation!;
  return {
    model: await modelHash(onDisk.files),
    train: train.dataset.stats.contentHash,
    validation: dataset === train.dataset ? null : dataset.stats.contentHash,
  };
}

/** The run with the steps of a budget in tokens. @throws InputError if it would end before its first evaluation */
function withSteps({ run, rows, shape }: PlannedRun, { race: { budget } }: RaceFile): RunFile {
  const { training } = run.config;
  const plan = planSteps(rows.train, shape, training);
  const steps = budget?.tokens === undefined ? null : stepsOf(plan, budget.tokens);
  const total = steps ?? plan.totalSteps;
  const { eval_steps: every } = training;
  if (every !== null && every > total)
    throw new InputError(`the run has ${total} steps, so it ends before its validation loss is measured`, {
      file: run.path,
      key: 'training.eval_steps',
      hint: 'Set it to null, for an evaluation at the end of each epoch and of the run, or to fewer steps.',
    });
  if (steps === null) return run;
  return { ...run, config: { ...run.config, training: { ...training, ...stepsAsDuration(steps) } } };
}

function stepsOf(plan: StepPlan, tokens: number): number {
  const steps = plan.stepsForTokens(tokens);
  if (steps !== null && steps <= MAX_STEPS) return steps;
  throw new InputError(`${tokens} tokens are more steps than a run can have`, {
    key: 'budget.tokens',
    hint: 'Lower it.',
  });
}

/** An error of an entry's run file, at the place of the race file or of the run file that says what is wrong. */
function relocated(error: unknown, entry: RaceEntry, { path, runPath }: RaceFile): unknown {
  if (!(error instanceof InputError)) return error;
  const { message, file, key, ...rest } = error.record();
  if (file !== undefined && file !== path) return error;
  const place = placeOf(key, entry);
  const inRun = key === undefined ? undefined : runPath === path ? `run.${key}` : key;
  return new InputError(`entry "${entry.name}": ${message}`, {
    ...rest,
    ...(place === null ? { file: runPath, key: inRun } : { file: path, key: place }),
  });
}

/** Where the race file says it: the key itself, or the block in which the entry changes something. */
function placeOf(key: string | undefined, { places, place }: RaceEntry): string | null {
  if (key === undefined) return place;
  // A key of the race itself.
  if (key.startsWith('budget.')) return key;
  const own = [...places].find(
    ([changed]) => key === changed || key.startsWith(`${changed}.`) || key.startsWith(`${changed}[`),
  );
  if (own) return own[1] + key.slice(own[0].length);
  const block = key.split('.')[0]!;
  const changesBlock = [...places.keys()].some(changed => changed.startsWith(`${block}.`));
  return changesBlock ? `${place}.${key}` : null;
}
