// The file that a command writes its result to.
import { InputError } from '../../core/inputError.js';
import { statOf } from '../../system/fileStat.js';

/**
 * @param key the option that names it
 * @throws InputError if the result would replace what it is made from
 */
export function checkNotInput(out: string, input: string, key: string): void {
  const [there, read] = [statOf(out), statOf(input)];
  if (there && read && there.ino === read.ino && there.dev === read.dev)
    throw new InputError('this is the file that is read', { file: out, key, hint: 'Choose another file.' });
}
