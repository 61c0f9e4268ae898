// The run file as saved in run.json, with absolute paths, and the run file of a resumed run. Used by prepareRun.ts,
// executeRun.ts and the resident engine.
import { existsSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { InputError } from '../../core/inputError.js';
import { MODEL_ALIASES } from '../hub/pypiModel.js';
import type { ModelOnDisk } from '../models/modelOnDisk.js';
import { parseRun, readRunFile, type RunFile } from './readRunFile.js';
import { RunFolder } from '../runFolder/runFolder.js';

/**
 * A resumed run uses its own run.json, since the run file may have changed.
 * @returns `ignored`: the keys of the run file that the run has another value for
 * @throws InputError if the run file is that of another model or method
 */
export function resumedRun(runFile: string, out: string): { run: RunFile; ignored: string[] } {
  const folder = RunFolder.open(out);
  const saved = readRunFile(folder.runFile, 'refuse');
  const given = parseRun(absolutePaths(readRunFile(runFile)), runFile);
  // Training longer is a reason to resume; everything else must stay the same.
  const { num_train_epochs, max_steps, max_minutes } = given.config.training;
  const training = { ...saved.config.training, num_train_epochs, max_steps, max_minutes };
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
