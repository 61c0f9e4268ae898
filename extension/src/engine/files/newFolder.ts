// The folder that a command writes its result to: nothing in it is overwritten. Called by commands with --out.
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
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

/** Fills a folder that {@link checkNewFolder} has accepted. If that fails, nothing of it is left. */
export async function fillNewFolder(path: string, fill: () => Promise<void>): Promise<void> {
  const existed = existsSync(path);
  try {
    await fill();
  } catch (error) {
    if (!existed) rmSync(path, { recursive: true, force: true });
    else for (const name of readdirSync(path)) rmSync(join(path, name), { recursive: true });
    throw error;
  }
}
