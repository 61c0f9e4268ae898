// The file that a command writes its result to.
import { InputError } from '../../core/inputError.js';
import { statOf } from '../../system/fileStat.js';

/** @throws InputError if there is something of that name already, except for a file that is to be replaced */
export function checkNewFile(path: string, force: boolean): void {
  const stat = statOf(path);
  if (stat?.isDirectory()) throw new InputError('this is a folder', { file: path, hint: 'Name a file with --out.' });
  if (stat && !force)
    throw new InputError('this file exists', {
      file: path,
      hint: 'Choose another one with --out, or replace it with --force.',
    });
}

/**
 * @param key the option that names it
 * @throws InputError if the result would replace what it is made from
 */
export function checkNotInput(out: string, input: string, key: string): void {
  const [there, read] = [statOf(out), statOf(input)];
  if (there && read && there.ino === read.ino && there.dev === read.dev)
    throw new InputError('this is the file that is read', { file: out, key, hint: 'Choose another file.' });
}
