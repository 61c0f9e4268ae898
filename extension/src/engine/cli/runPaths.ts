// A run on the command line, whichever of its folder and its run.json is named. Called by `export`, `push` and `eject`.
import { basename, dirname, join } from 'node:path';
import { isFolder } from '../../system/fileStat.js';

const RUN_FILE = 'run.json';

/** The folder of the run; any other path as it is. */
export function runFolderGiven(path: string): string {
  return basename(path) === RUN_FILE && !isFolder(path) ? dirname(path) : path;
}

/** The run file; any path of a file as it is. */
export function runFileGiven(path: string): string {
  return isFolder(path) ? join(path, RUN_FILE) : path;
}
