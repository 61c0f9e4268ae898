// The folder that a command writes its result to: nothing in it is overwritten. Called by commands with --out.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { InputError } from '../../core/inputError.js';
import { statOf } from '../../system/fileStat.js';

/** @throws InputError if there is a file of that name, or instead of a folder above it, or anything in the folder */
export function checkNewFolder(path: string): void {
  const hint = 'Choose a new folder with --out.';
  if (!existsSync(path)) {
    let above = dirname(path);
    while (!existsSync(above) && dirname(above) !== above) above = dirname(above);
    if (statOf(above)?.isDirectory() ?? true) return;
    throw new InputError('a part of the path is a file, not a folder', { file: path, hint });
  }
  if (!statSync(path).isDirectory()) throw new InputError('this is not a folder', { file: path, hint });
  if (readdirSync(path).length > 0) throw new InputError('the folder is not empty', { file: path, hint });
}
