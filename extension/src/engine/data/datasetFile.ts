// The file of rows that a dataset's path means: the path itself or, for a folder, the one file in it that `datasets` would take for the
// split. Called by all commands that load rows.
import { readdirSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { fileTypeOf, ROW_FILE_EXTENSIONS } from '../../core/data/rowFileTypes.js';
import { InputError } from '../../core/inputError.js';
import { isSuite } from './readSuite.js';
import { isFolder } from '../../system/fileStat.js';

/** Folders of a dataset's repository that hold its files. */
const SUBFOLDERS = ['', 'data'];
const NAMED_FILES = 10;

/** Words for the splits in names of files, as in `datasets`. */
const SPLITS = {
  train: ['train', 'training'],
  validation: ['validation', 'valid', 'val', 'dev', 'test', 'testing', 'eval', 'evaluation'],
} as const;

/** @throws InputError if a folder has no such file, or more than one */
export function datasetFile(path: string, role: keyof typeof SPLITS): string {
  if (!isFolder(path)) return path;
  const files = SUBFOLDERS.flatMap(name => filesIn(join(path, name)));
  const splits = Object.values(SPLITS).flat();
  const ofRole = SPLITS[role].map(word => files.filter(file => hasWord(file, word))).find(found => found.length > 0);
  const unnamed = files.filter(file => !splits.some(word => hasWord(file, word)));
  const found = ofRole ?? (unnamed.length === files.length ? files : []);
  if (found.length === 1) return found[0]!;
  const names = (some: readonly string[]) =>
    some
      .slice(0, NAMED_FILES)
      .map(file => relative(path, file))
      .join(', ') + (some.length > NAMED_FILES ? ', ...' : '');
  if (files.length === 0)
    throw new InputError('this is a folder without dataset files', {
      file: path,
      hint: `Use a ${ROW_FILE_EXTENSIONS.join(', ')} file; save_to_disk writes Arrow files: use to_parquet or to_json.`,
    });
  throw new InputError(
    found.length > 1
      ? `this is a folder with ${found.length} files of rows that could be meant: ${names(found)}`
      : `this is a folder without a file of ${role} rows; it has ${names(files)}`,
    { file: path, hint: 'Name one file; several have to be joined first.' },
  );
}

/** Whether a folder has files of rows and is neither a model's nor an adapter's, which have configs. */
export function isDatasetFolder(path: string): boolean {
  if (!isFolder(path) || readdirSync(path).some(name => /config\.json$/.test(name))) return false;
  return SUBFOLDERS.some(name => filesIn(join(path, name)).length > 0);
}

function filesIn(folder: string): string[] {
  if (!isFolder(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter(entry => !entry.isDirectory() && fileTypeOf(entry.name) && !isDescription(entry.name))
    .map(entry => join(folder, entry.name))
    .filter(file => !isSuite(file))
    .sort();
}

/** Files about a dataset or a model, which have no rows. */
function isDescription(name: string): boolean {
  return /^(dataset_infos?|dataset_dict|state|tokenizer|special_tokens_map|vocab)\.json$|(config|\.index)\.json$|^[._]/.test(
    name,
  );
}

/** Whether a word of the name, between separators and digits, is this one. */
function hasWord(file: string, word: string): boolean {
  return basename(file)
    .toLowerCase()
    .split(/[-._ \d]+/)
    .includes(word);
}
