// What is exported: a base and the adapters on top of it, opened. Called by performExport.ts's callers: `merge`, `export` and the end
// of a run.
import { existsSync, realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { InputError } from '../../core/inputError.js';
import { haveSameTokens } from './compareTexts.js';
import { readTokenizer } from '../files/huggingfaceFolder.js';
import { finiteValues } from '../files/finiteValues.js';
import { readJsonObject } from '../files/jsonFile.js';
import type { ModelFiles } from '../files/tensorSource.js';
import { readAdapterFolder } from '../inspect/inspectAdapter.js';
import { countParameters, type Architecture } from '../models/architecture.js';
import { architectureOfFiles } from '../models/loadModel.js';
import { openAdapter, type SavedAdapter } from '../peft/adapterFiles.js';
import { findModelFiles, tokenizerOf } from '../run/openModel.js';
import { silentReporter, type Reporter } from '../run/reporter.js';
import { folderName, runFolderOf } from '../runFolder/runFolder.js';
import type { Origin } from './provenance.js';

export interface ExportSource {
  base: ModelFiles;
  architecture: Architecture;
  /** Each on top of those before it. */
  adapters: readonly SavedAdapter[];
  /** Folder of the run whose result or checkpoint is exported; null if it isn't of a run. */
  run: string | null;
  /** Name of a run that has not begun yet, whose result will be exported. */
  planned?: string;
  /** For the names of files: that of the run, of the adapter or of the model. */
  name: string;
  close(): void;
}

export interface SourcePaths {
  /** Null: the model that the first adapter names. */
  model: string | null;
  adapters: readonly string[];
}

/** @param baseDir what a relative path of the model is relative to. @throws InputError if a part of it is missing or wrong, or an adapter has a value that is infinite or NaN */
export async function openExportSource(
  { model, adapters }: SourcePaths,
  baseDir: string,
  reporter: Reporter,
  allowDownload = true,
): Promise<ExportSource> {
  const base = await findModelFiles(model ?? baseOf(adapters), baseDir, reporter, allowDownload);
  const real = adapters.map(folder => (existsSync(folder) ? realpathSync(folder) : resolve(folder)));
  const twice = adapters.find((_, i) => real.indexOf(real[i]!) < i);
  if (twice !== undefined)
    throw new InputError('this adapter is named twice', {
      file: twice,
      key: '--adapter',
      hint: 'Name it once; to double its weight, use tunewright combine.',
    });
  const opened: SavedAdapter[] = [];
  const close = () => {
    for (const each of opened) each.close();
    base.close();
  };
  try {
    const architecture = architectureOfFiles(base);
    for (const folder of adapters)
      opened.push(openAdapter(folder, architecture, { files: base, onWarning: reporter.warn }));
    for (const { tensors } of opened) for (const tensor of tensors.values()) finiteValues(tensor);
    if (model !== null) for (const each of opened) await checkTokens(each, base, baseDir);
    const path = adapters.at(-1) ?? base.path;
    const run = runFolderOf(path);
    const named = run === null ? null : readJsonObject(join(run, 'run.json'), 'refuse')!['name'];
    const name = typeof named === 'string' ? named : nameOf(path, base);
    return { base, architecture, adapters: opened, run, name: folderName(name), close };
  } catch (error) {
    close();
    throw error;
  }
}

/**
 * Ids that stand for other texts make any merge worthless, and shapes don't show it.
 * @throws InputError if the base that the adapter names is on this machine and has other tokens than the one it is to be put on
 */
async function checkTokens(saved: SavedAdapter, base: ModelFiles, baseDir: string): Promise<void> {
  const { baseModel, folder, tokenizerFolder } = saved;
  if (baseModel === null || baseModel === base.reference || readTokenizer(tokenizerFolder)) return;
  const trainedOn = await findModelFiles(baseModel, baseDir, silentReporter, false).catch(() => null);
  if (trainedOn === null) return;
  try {
    if (trainedOn.path === base.path || !trainedOn.tokenizer || !base.tokenizer) return;
    if (haveSameTokens(tokenizerOf(trainedOn), tokenizerOf(base))) return;
  } finally {
    trainedOn.close();
  }
  throw new InputError(`the adapter was trained on ${baseModel}, which has other tokens than ${base.reference}`, {
    file: folder,
    key: '--model',
    hint: 'Name a model with the same tokens, or leave out --model.',
  });
}

/** What names and provenance of a written model follow from. */
export function originOf({ base, architecture, adapters, planned }: ExportSource): Origin {
  const folders = adapters.map(({ folder }) => folder);
  return { files: base, adapters: folders, planned, parameters: countParameters(architecture) };
}

/** The base model on which the first adapter was trained, from adapter_config.json. */
function baseOf([folder]: readonly string[]): string {
  if (folder === undefined)
    throw new InputError('nothing to export is named', {
      hint: 'Name a model with --model, an adapter with --adapter.',
    });
  const { baseModel } = readAdapterFolder(folder);
  if (baseModel === null)
    throw new InputError('the adapter does not name its base model', { file: folder, hint: 'Add --model.' });
  return baseModel;
}

function nameOf(path: string, { reference }: ModelFiles): string {
  const name = existsSync(path) ? resolve(path) : reference;
  return basename(name) === 'adapter' ? dirname(name) : name.replace(/\.gguf$/i, '');
}
