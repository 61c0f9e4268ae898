// A run's folder: run.json, excluded.json, events.ndjson, adapter/ or model/, checkpoints/step-N. Names, creates and lists them, but knows nothing
// of their content.
import { existsSync, readdirSync, realpathSync, renameSync, rmSync, statSync, type Stats } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { InputError, unlessWrong } from '../../core/inputError.js';
import { makePrivateFolder } from '../../system/makeFolder.js';
import { keepPrivate } from '../../system/privateFolder.js';
import { asInputError, isTemporary, sweepTemporary, syncFolder } from '../files/atomicFile.js';
import { isFolder, isLink, statOf } from '../../system/fileStat.js';
import { namesIn } from '../../system/regularFile.js';

/** Folders in which a run writes and prunes files. */
const SUBFOLDERS = ['adapter', 'model', 'checkpoints', 'tensorboard', 'exports'];

/** A checkpoint that is being written or deleted; those of processes that were killed are swept. */
const UNFINISHED = /^step-\d+\.(partial|old)$/;

export class RunFolder {
  private readonly identity: Stats | undefined;

  private constructor(readonly path: string) {
    this.identity = statOf(path);
  }

  /**
   * @param runFile may be the run.json of the folder, in which VS Code may already have written engine.log, process.json and
   *   attended.json
   * @throws InputError if the folder contains anything else
   */
  static create(path: string, runFile?: string): RunFolder {
    RunFolder.checkFree(path, runFile);
    const isNew = !existsSync(path);
    try {
      makePrivateFolder(path);
      const parent = dirname(resolve(path));
      if (isNew) [parent, dirname(parent)].forEach(syncFolder);
    } catch (error) {
      throw asInputError(error, path);
    }
    return new RunFolder(path);
  }

  /** The check of `create`, for use once the folder is claimed. @throws InputError as `create` */
  static checkFree(path: string, runFile?: string): void {
    if (!existsSync(path)) return;
    if (!statSync(path).isDirectory()) throw new InputError('this is a file, not a run folder', { file: path });
    const isOwn = runFile !== undefined && resolve(runFile) === join(resolve(path), 'run.json');
    const expected = isOwn ? ['run.json', 'engine.log', 'attended.json'] : [];
    // process.json and the files that a process needs to claim it: the claim decides. A process that was killed may have left
    // temporary files.
    const isIgnored = (name: string) => name.startsWith('process.json') || isTemporary(name);
    if (readdirSync(path).some(name => !expected.includes(name) && !isIgnored(name)))
      throw new InputError('the run folder is not empty', {
        file: path,
        hint: 'Choose another one with --out, or resume its run with --resume.',
      });
  }

  /** @throws InputError if the folder has no run */
  static open(path: string): RunFolder {
    return RunFolder.openWith(path, ['run.json']);
  }

  /**
   * Opens a folder to resume its run, also if it lost its run.json, or its process was killed before it wrote one.
   * @throws InputError if the folder has no run
   */
  static reopen(path: string): RunFolder {
    const isBegun =
      existsSync(path) && unlessWrong(() => (RunFolder.checkFree(path, join(path, 'run.json')), true)) !== null;
    return RunFolder.openWith(path, isBegun ? ['.'] : ['run.json', 'checkpoints', 'events.ndjson']);
  }

  /** @param signs of a run, one of which must be there */
  private static openWith(path: string, signs: readonly string[]): RunFolder {
    const folder = new RunFolder(path);
    if (!signs.some(name => existsSync(join(path, name))))
      throw new InputError('this folder does not contain a run', {
        file: path,
        hint: 'Name the folder that a run was written to (--out of tunewright train).',
      });
    for (const name of SUBFOLDERS) checkInside(path, name);
    for (const step of folder.checkpointFolders().filter(step => isLink(folder.checkpoint(step))))
      checkInside(path, relative(path, folder.checkpoint(step)));
    keepPrivate(path);
    return folder;
  }

  get runFile(): string {
    return join(this.path, 'run.json');
  }
  get eventsFile(): string {
    return join(this.path, 'events.ndjson');
  }
  /** The losses of the rows of each step. */
  get stepLossesFile(): string {
    return join(this.path, 'step-losses.ndjson');
  }
  get attendedFile(): string {
    return join(this.path, 'attended.json');
  }
  get commandsFile(): string {
    return join(this.path, 'commands.ndjson');
  }
  get processFile(): string {
    return join(this.path, 'process.json');
  }
  /** The rows that the run leaves out, as they were when it started. */
  get excludedFile(): string {
    return excludedFileIn(this.path);
  }
  get tensorBoard(): string {
    return join(this.path, 'tensorboard');
  }
  /** What was made of the result for other programs. */
  get exports(): string {
    return exportsFolderIn(this.path);
  }
  /** Folder of the result, relative to the run folder. */
  resultName(storage: 'adapter' | 'selective' | 'model'): string {
    return storage === 'model' ? 'model' : 'adapter';
  }

  private get checkpoints(): string {
    return join(this.path, 'checkpoints');
  }
  checkpoint(step: number): string {
    return join(this.checkpoints, `step-${step}`);
  }

  /** Steps with a folder of a checkpoint, complete or not, ascending. Other names with numbers, such as step-08, aren't of a run. */
  checkpointFolders(): number[] {
    return namesIn(this.checkpoints)
      .filter(name => /^step-(0|[1-9]\d*)$/.test(name))
      .map(name => Number(name.slice('step-'.length)))
      .filter(Number.isSafeInteger)
      .sort((a, b) => a - b);
  }

  /** Those of them that have a state. */
  checkpointSteps(): number[] {
    return this.checkpointFolders().filter(step => existsSync(join(this.checkpoint(step), 'state.json')));
  }

  /** Sets aside the checkpoints after a step, until they are made again: the run is repeated from there. */
  discardAfter(step: number): void {
    for (const later of this.checkpointFolders().filter(saved => saved > step)) {
      const unused = `${this.checkpoint(later)}.unused`;
      rmSync(unused, { recursive: true, force: true });
      renameSync(this.checkpoint(later), unused);
    }
  }

  /** Removes what processes that were killed have left. Called once the folder is claimed. */
  sweep(): void {
    for (const name of ['.', ...SUBFOLDERS]) sweepTemporary(join(this.path, name));
    for (const name of namesIn(this.checkpoints))
      if (UNFINISHED.test(name)) rmSync(join(this.checkpoints, name), { recursive: true, force: true });
  }

  /** @throws InputError if the folder was deleted or replaced since it was opened */
  checkPresent(): void {
    const now = statOf(this.path);
    if (now && now.ino === this.identity?.ino && now.dev === this.identity.dev) return;
    throw new InputError('the run folder was deleted or moved while the run was training in it', {
      file: this.path,
      hint: 'Put it back and resume the run with --resume, or start a new one.',
    });
  }

  /** Deletes the oldest checkpoints until `limit` are left, but never `keep`. */
  prune(limit: number | null, keep: number | null): void {
    if (limit === null) return;
    const removable = this.checkpointSteps().filter(step => step !== keep);
    const kept = this.checkpointSteps().length - removable.length;
    for (const step of removable.slice(0, Math.max(0, removable.length - Math.max(1, limit - kept)))) {
      // Renamed first, so that no checkpoint is ever there in part.
      const old = `${this.checkpoint(step)}.old`;
      renameSync(this.checkpoint(step), old);
      rmSync(old, { recursive: true, force: true });
    }
  }
}

export function exportsFolderIn(folder: string): string {
  return join(folder, 'exports');
}

export function excludedFileIn(folder: string): string {
  return join(folder, 'excluded.json');
}

/** @throws InputError for a link to somewhere outside the folder, and for a file, which a run would otherwise find at its end */
function checkInside(folder: string, name: string): void {
  const path = join(folder, name);
  if (!isLink(path)) {
    if (!statOf(path) || isFolder(path)) return;
    throw new InputError('this is not a folder, and a run has a folder of this name', {
      file: path,
      hint: 'Move it away, and resume the run.',
    });
  }
  const inside = existsSync(path) && !relative(realpathSync(folder), realpathSync(path)).startsWith('..');
  if (!inside)
    throw new InputError('this is a symbolic link to somewhere outside the run folder', {
      file: path,
      hint: 'Put the folder itself there. The run folder as a whole may be on another disk.',
    });
}

/** Where runs and races are, next to their files. */
export type RunsFolder = 'runs' | 'races';

/** `runs/NAME-20260131-142500`, next to the run file. */
export function defaultRunFolder(directory: string, name: string, now = new Date(), kind: RunsFolder = 'runs'): string {
  const stamp = now.toISOString().replace(/\D/g, '').slice(0, 14);
  return join(directory, kind, `${folderName(name)}-${stamp.slice(0, 8)}-${stamp.slice(8)}`);
}

/** The latest run, or race, with this name. @throws InputError if there is none */
export function latestRunFolder(directory: string, name: string, kind: RunsFolder = 'runs'): string {
  const runs = join(directory, kind);
  const prefix = `${folderName(name)}-`;
  // The runs of "tone" are not those of "tone-long".
  const isOfName = (entry: string) => entry.startsWith(prefix) && /^\d{8}-\d{6}$/.test(entry.slice(prefix.length));
  const found = existsSync(runs) ? readdirSync(runs).filter(isOfName) : [];
  const latest = found.sort().at(-1);
  if (!latest)
    throw new InputError(`no ${kind.slice(0, -1)} named "${name}" to resume`, {
      file: runs,
      hint: `Pass its folder with --out, or start a new ${kind.slice(0, -1)} without --resume.`,
    });
  return join(runs, latest);
}

/** The last part of a path or name, as it can be in the name of any file. */
export function folderName(name: string): string {
  return basename(name).replace(/[^\w.-]+/g, '-');
}

/** How far below its run's folder a result is at most: RUN/exports/NAME/FILE. */
const DEEPEST = 3;

/** The run that has written this result, checkpoint or export, also if a link leads there; null if there is none. */
export function runFolderOf(path: string): string | null {
  // An id of a model is no path.
  if (!existsSync(path)) return null;
  let folder = realpathSync(path);
  for (let up = 0; up < DEEPEST; up++) {
    folder = dirname(folder);
    if (['run.json', 'events.ndjson'].every(name => existsSync(join(folder, name)))) return folder;
  }
  return null;
}
