// The run file as saved in run.json, with absolute paths, and the run file of a resumed run. Used by prepareRun.ts,
// executeRun.ts and the resident engine.
import { existsSync } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { InputError } from '../../core/inputError.js';
import { PLACE_KEYS } from '../../protocol/engineConfig.js';
import type { RunConfig } from '../../protocol/runConfig.js';
import { isLink } from '../../system/fileStat.js';
import { MODEL_ALIASES } from '../hub/pypiModel.js';
import type { ModelOnDisk } from '../models/modelOnDisk.js';
import { parseRun, readRunFile, type RunFile } from './readRunFile.js';
import { RunFolder } from '../runFolder/runFolder.js';

type Warn = (code: string, message: string) => void;

/**
 * A resumed run uses its own run.json, since the run file may have changed.
 * @param recorded the same as its checkpoint has it, null if it has none
 * @returns `ignored`: the keys of the run file that the run has another value for
 * @throws InputError if the run file is that of another model or method
 */
export function resumedRun(
  runFile: string,
  out: string,
  recorded: Record<string, unknown> | null,
  warn: Warn,
): { run: RunFile; ignored: string[] } {
  const folder = RunFolder.reopen(out);
  const isOwn = resolve(runFile) === resolve(folder.runFile);
  const own = recorded ? settledRun(folder, recorded, warn) : ownRunFile(folder, isOwn ? null : runFile, warn);
  const saved = parseRun(absolutePaths(own), folder.runFile);
  const given = isOwn ? saved : parseRun(absolutePaths(readRunFile(runFile)), runFile);
  const training = { ...saved.config.training, ...lengthOf(given) };
  // What is exported afterwards doesn't change the training either.
  const run = { ...saved, config: { ...saved.config, training, export: given.config.export } };
  const ignored = differingKeys(given.config, run.config);
  for (const key of ['model', 'method.peft_type'])
    if (ignored.includes(key)) {
      const [now, then] = [given, saved].map(({ config }) =>
        JSON.stringify(key === 'model' ? config.model : config.method.peft_type),
      );
      throw new InputError(`this is ${now}, but the run to resume was started with ${then}`, {
        file: runFile,
        key,
        hint: `Resume the run in ${out} with its own run.json, or start a new run without --resume.`,
      });
    }
  return { run, ignored };
}

/**
 * The run.json of a run without a checkpoint.
 * @param other the run file that takes its place if it is missing, as after a kill before it was written, or damaged
 */
function ownRunFile(folder: RunFolder, other: string | null, warn: Warn): RunFile {
  try {
    return readRunFile(folder.runFile, 'refuse');
  } catch (error) {
    // A link isn't damage: it was put there on purpose, and isn't replaced.
    if (!(error instanceof InputError) || other === null || isLink(folder.runFile)) throw error;
    if (existsSync(folder.runFile)) warnOfRestored(error, 'that of this command is used', warn);
    return readRunFile(other);
  }
}

function warnOfRestored(error: InputError, how: string, warn: Warn): void {
  const { key, message } = error.record();
  const reason = key === undefined ? message : `${key}: ${message}`;
  warn('run_file_restored', `run.json can’t be used (${reason}); ${how}`);
}

/** Training longer is a reason to resume; everything else must stay the same. */
function lengthOf({ config: { training } }: RunFile): Partial<RunConfig['training']> {
  const { num_train_epochs, max_steps, max_minutes } = training;
  return { num_train_epochs, max_steps, max_minutes };
}

/**
 * The settings that a checkpoint was trained with. From run.json come the length of the run and the places of its files, whose
 * content is compared otherwise (trainedInputs.ts).
 */
function settledRun(folder: RunFolder, recorded: Record<string, unknown>, warn: Warn): RunFile {
  const settled = parseRun(recorded, folder.runFile);
  let present: RunFile;
  try {
    present = readRunFile(folder.runFile, 'refuse');
  } catch (error) {
    if (!(error instanceof InputError) || isLink(folder.runFile)) throw error;
    warnOfRestored(error, 'it is restored from the checkpoint', warn);
    return settled;
  }
  const lengthKeys = differingKeys(lengthOf(present), lengthOf(settled));
  if (lengthKeys.length > 0)
    warn('run_length_changed', `run.json has another length of the run than the checkpoint: ${lengthKeys.join(', ')}`);
  const [then, now] = [settled.config, present.config];
  const expected: RunConfig = {
    ...then,
    name: now.name,
    model: now.model,
    dataset: {
      ...then.dataset,
      train: now.dataset.train,
      validation: moved(then.dataset.validation, now.dataset.validation),
      exclude: moved(then.dataset.exclude, now.dataset.exclude),
      chat_template: moved(then.dataset.chat_template, now.dataset.chat_template),
      suites: now.dataset.suites,
    },
    engine: movedEngine(then.engine, now.engine),
    method: { ...then.method, init_from: moved(then.method.init_from, now.method.init_from) },
    training: {
      ...then.training,
      ...lengthOf(present),
      general_texts: moved(then.training.general_texts, now.training.general_texts),
    },
    export: now.export,
  };
  const changed = differingKeys(now, expected);
  if (changed.length === 0) return present;
  const keys = changed.join(', ');
  warn('run_file_changed', `run.json has other values than the run was started with, which are kept: ${keys}`);
  return parseRun(expected, folder.runFile);
}

/** A run that went to a cluster, or came back, goes on where it was last. */
function movedEngine(then: RunConfig['engine'], now: RunConfig['engine']): RunConfig['engine'] {
  if (then.backend !== 'ray' && now.backend !== 'ray') return then;
  return { ...then, ...Object.fromEntries(PLACE_KEYS.map(key => [key, now[key]])) };
}

/** Another path counts, but not a path where there was none. */
function moved<T>(then: T, now: T): T {
  return typeof then === 'string' && typeof now === 'string' ? now : then;
}

/** Keys with dots whose values differ. */
export function differingKeys(given: object, saved: object, block = ''): string[] {
  const keys = [...new Set([...Object.keys(given), ...Object.keys(saved)])].filter(key => key !== '$schema');
  return keys.flatMap(key => {
    const [now, then] = [given, saved].map(config => (config as Record<string, unknown>)[key]);
    if (isDeepStrictEqual(now, then)) return [];
    return isBlock(now) && isBlock(then) ? differingKeys(now, then, `${block}${key}.`) : [block + key];
  });
}

function isBlock(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The run with absolute paths. */
export function absolutePaths(run: RunFile): Record<string, unknown> {
  const { config } = run;
  const path = (value: string | null) => (value === null ? null : run.resolvePath(value));
  const { validation, train, exclude, chat_template: template, suites } = config.dataset;
  return {
    ...config,
    model: modelReference(run),
    dataset: {
      ...config.dataset,
      train: path(train),
      validation: typeof validation === 'string' ? path(validation) : validation,
      exclude: path(exclude),
      chat_template: path(template),
      suites: suites.map(path),
    },
    method: { ...config.method, init_from: path(run.initFrom) },
    training: { ...config.training, general_texts: path(config.training.general_texts) },
    export: config.export.map(entry => ({ ...entry, out: path(entry.out) })),
  };
}

/** Paths become absolute; ids and `embedded:` names stay unchanged. */
export function modelReference({ config, resolvePath }: RunFile): string {
  const path = resolvePath(config.model);
  return existsSync(path) ? path : config.model;
}

/** The base model in adapter_config.json: the model's path, or its id. */
export function baseModelName({ files }: ModelOnDisk): string {
  if (isAbsolute(files.reference)) return files.path;
  // Python does not know our short names.
  return MODEL_ALIASES[files.reference]?.hubId ?? files.reference;
}
