// The folder that a command writes its result to: nothing in it is overwritten. Called by commands with --out.
import { accessSync, constants, existsSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { InputError } from '../../core/inputError.js';
import { isLink, statOf } from '../../system/fileStat.js';
import { asInputError } from './atomicFile.js';

/** @param hint what to do instead. @throws InputError if there is a file of that name, or instead of a folder above it, or anything in the folder */
export function checkNewFolder(path: string, hint = 'Choose a new folder with --out.'): void {
  if (!existsSync(path)) return checkCreatable(path, hint);
  if (!statSync(path).isDirectory()) throw new InputError('this is not a folder', { file: path, hint });
  if (readdirSync(path).length > 0) throw new InputError('the folder is not empty', { file: path, hint });
}

/** @throws InputError if nothing can be created at a path where nothing is. @param hint what to do instead */
export function checkCreatable(path: string, hint: string): void {
  checkNameLength(path, hint);
  if (isLink(path))
    throw new InputError('this is a link to something that does not exist', { file: path, hint: `Remove it. ${hint}` });
  let above = dirname(path);
  while (!existsSync(above) && dirname(above) !== above) above = dirname(above);
  if (!(statOf(above)?.isDirectory() ?? true))
    throw new InputError('a part of the path is a file, not a folder', { file: path, hint });
  try {
    accessSync(above, constants.W_OK);
  } catch (error) {
    throw asInputError(error, path);
  }
}

/** Longest name of a file on Linux, macOS and Windows. */
const MAX_NAME_BYTES = 255;
/** Of what is added for temporary names and certificates. */
const ADDED_BYTES = 35;

/** @throws InputError if no file can have such a name, or none beside it that is named after it */
export function checkNameLength(path: string, hint: string): void {
  for (let part = path; dirname(part) !== part; part = dirname(part)) {
    const most = part === path ? MAX_NAME_BYTES - ADDED_BYTES : MAX_NAME_BYTES;
    const bytes = Buffer.byteLength(basename(part));
    if (bytes > most) throw new InputError(`a name has ${bytes} bytes, and may have ${most}`, { file: path, hint });
  }
}
