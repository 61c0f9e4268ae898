// The files of a folder that a push uploads: those that Transformers, PEFT and llama.cpp read, and licences. Nothing else of the folder
// leaves the machine, no file outside of it, and no path of the machine in the JSON files. Called by targets/hub.ts.
import { lstatSync, readdirSync, realpathSync } from 'node:fs';
import { basename, join, resolve, sep } from 'node:path';
import { InputError, unlessWrong } from '../../core/inputError.js';
import { TEMPLATES } from '../../core/text/tokenizerFolder.js';
import { isFolder, statOf } from '../../system/fileStat.js';
import { readJsonObject } from '../files/jsonFile.js';
import type { PushedFile } from '../hub/pushFiles.js';

const UPLOADED = /^[\w-]+(\.[\w-]+)*\.(safetensors|json|jinja|model|txt)$|^(LICEN[CS]E|NOTICE)(\.(txt|md))?$/i;
/** What programs that train leave beside a model: about the run, not about the model. */
const OF_TRAINING = /^(run|trainer_state|all_results|train_results|eval_results|training_args)\.json$/;
/** Keys under which Transformers and PEFT write where a model was loaded from. */
const PATH_KEYS = ['base_model_name_or_path', '_name_or_path', 'name_or_path'];

/**
 * @param base what the files call the base model instead of a path of this machine; null: the last part of the path
 * @throws InputError if a file is a link out of the folder
 */
export function uploadedFiles(folder: string, base: string | null): PushedFile[] {
  const names = [
    ...readdirSync(folder).filter(name => UPLOADED.test(name) && !OF_TRAINING.test(name)),
    ...(isFolder(join(folder, TEMPLATES))
      ? readdirSync(join(folder, TEMPLATES)).map(name => `${TEMPLATES}/${name}`)
      : []
    ).filter(name => name.endsWith('.jinja')),
  ];
  return names
    .toSorted()
    .filter(name => statOf(join(folder, name))?.isFile())
    .map(name => ({ path: name, content: contentOf(checked(folder, name), base) }));
}

function contentOf(file: string, base: string | null): PushedFile['content'] {
  if (!file.endsWith('.json')) return { file };
  const value = unlessWrong(() => readJsonObject(file));
  if (!value) return { file };
  const paths = PATH_KEYS.filter(key => isPath(value[key]));
  if (paths.length === 0) return { file };
  const named = Object.fromEntries(paths.map(key => [key, base ?? lastPart(value[key] as string)]));
  return { bytes: Buffer.from(`${JSON.stringify({ ...value, ...named }, null, 2)}\n`) };
}

/** A link may lead into the store of the hub's own cache, whose folders consist of such links. */
function checked(folder: string, name: string): string {
  const file = join(folder, name);
  if (!lstatSync(file).isSymbolicLink() && !lstatSync(join(file, '..')).isSymbolicLink()) return file;
  const real = realpathSync(file);
  const allowed = [realpathSync(folder), resolve(realpathSync(folder), '..', '..', 'blobs')];
  if (allowed.some(parent => real.startsWith(parent + sep))) return file;
  throw new InputError('this is a link to a file outside of its folder, which is not uploaded', {
    file,
    hint: 'Remove the link, or replace it with a copy of the file.',
  });
}

function isPath(value: unknown): value is string {
  return typeof value === 'string' && /^([/\\~]|\.\.?[/\\]|[A-Za-z]:[/\\]|file:)/.test(value);
}

function lastPart(path: string): string {
  return basename(path.replaceAll('\\', '/'));
}
