// The file that a command writes its result to.
import { InputError } from '../../core/inputError.js';
import { statOf } from '../../system/fileStat.js';
import { checkCreatable, checkNameLength } from './newFolder.js';

/**
 * @param option that names the file, or a part of its place
 * @param instead what to do if it can't be used, where no option names it
 * @throws InputError if there is something of that name already, except for a file that is to be replaced, or nothing can be created
 */
export function checkNewFile(path: string, force: boolean, option = '--out', instead?: string): void {
  const another = `Choose another one with ${option}`;
  const hint = instead ?? `${another}.`;
  checkNameLength(path, hint);
  const stat = statOf(path);
  if (!stat) return checkCreatable(path, hint);
  if (stat.isDirectory())
    throw new InputError('this is a folder', { file: path, hint: instead ?? `Name a file with ${option}.` });
  if (!force)
    throw new InputError('this file exists', {
      file: path,
      hint: instead ?? `${another}, or replace it with --force.`,
    });
}

/**
 * Of a file that a command writes beside its answer, instead of one of that name.
 * @param key the option that names it
 * @throws InputError if it can't be created, or would replace what it is made from
 */
export function checkSecondFile(out: string, input: string, key: string): void {
  checkNewFile(out, true, key);
  const [there, read] = [statOf(out), statOf(input)];
  if (there && read && there.ino === read.ino && there.dev === read.dev)
    throw new InputError('this is the file that is read', { file: out, key, hint: 'Choose another file.' });
}
