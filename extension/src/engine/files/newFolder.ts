// The folder that a command writes its result to: nothing in it is overwritten. Called by commands with --out.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { InputError } from '../../core/inputError.js';

/** @throws InputError if there is a file of that name, or anything in the folder */
export function checkNewFolder(path: string): void {
  if (!existsSync(path)) return;
  const hint = 'Choose a new folder with --out.';
  if (!statSync(path).isDirectory()) throw new InputError('this is not a folder', { file: path, hint });
  if (readdirSync(path).length > 0) throw new InputError('the folder is not empty', { file: path, hint });
}
