// The run file as a run keeps it in run.json: every path absolute, so that it means the same from anywhere, and a resumed run
// told apart from the file it began with. Used by prepareRun.ts and executeRun.ts.
import { existsSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { modelAliases } from '../hub/pypiModel.js';
import type { ModelOnDisk } from '../models/modelOnDisk.js';
import { parseRun, readRunFile, type RunFile } from './readRunFile.js';
import { RunFolder } from '../runFolder/runFolder.js';

/** A resumed run goes by its own run.json; the run file may have been changed since. */
export function resumedRun(runFile: string, out: string): RunFile {
  const folder = RunFolder.open(out);
  const saved = readRunFile(folder.runFile);
  const given = parseRun(absolutePaths(readRunFile(runFile)), runFile);
  // More epochs or steps are a reason to resume; everything else has to stay.
  const { num_train_epochs, max_steps } = given.config.training;
  return { ...saved, config: { ...saved.config, training: { ...saved.config.training, num_train_epochs, max_steps } } };
}

/** The resolved run with paths that mean the same from anywhere. */
export function absolutePaths(run: RunFile): Record<string, unknown> {
  const { config } = run;
  const path = (value: string | null) => (value === null ? null : run.resolvePath(value));
  const { validation, train, chat_template: template } = config.dataset;
  return {
    ...config,
    model: modelReference(run),
    dataset: {
      ...config.dataset,
      train: path(train),
      validation: typeof validation === 'string' ? path(validation) : validation,
      chat_template: path(template),
    },
    method: { ...config.method, init_from: path(run.initFrom) },
  };
}

/** A folder or file stays one from anywhere; ids and `embedded:` names are left alone. */
export function modelReference({ config, resolvePath }: RunFile): string {
  const path = resolvePath(config.model);
  return existsSync(path) ? path : config.model;
}

/** What adapter_config.json names as the base: where the model stands, or the id it was asked for by. */
export function baseModelName({ files }: ModelOnDisk): string {
  if (isAbsolute(files.reference)) return files.path;
  // Python knows no short names of ours.
  return modelAliases[files.reference]?.hubId ?? files.reference;
}
