// What can be deleted of what this program has written: old engines, pulled models, caches, checkpoints and runs, each with its size; and
// deletes it. Called by `tunewright clean`. Never touches a run that is in progress, or caches that other programs share.
import { existsSync, lstatSync, readdirSync, rmSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { InputError } from '../../core/inputError.js';
import { CLEANED, type Cleaned, type Deletable } from '../../protocol/cleanAnswer.js';
import { claimFile, holderOf, nameOfHolder } from '../../system/fileClaim.js';
import { isFolder, linkStatOf } from '../../system/fileStat.js';
import { namesIn } from '../../system/regularFile.js';
import { pulledModelsFolder } from '../hub/pypiModel.js';
import { findInstallation } from '../install/installation.js';
import { DAWN_VERSION } from '../install/dawnPackage.js';
import { checkedBlobsFolder, dawnFolder, enginesFolder, installLockFile } from '../install/paths.js';
import { readEvents } from '../runFolder/eventLog.js';
import { RunFolder } from '../runFolder/runFolder.js';
import { asInputError } from '../files/atomicFile.js';
import { claimRun } from './runProcess.js';

/** Those that are made again, or aren't needed, without asking anybody. */
export const CLEANED_BY_DEFAULT: readonly Cleaned[] = ['engines', 'caches', 'checkpoints'];

/** Its size is taken once it is to be listed: of a run, all of its files count. */
type Found = Omit<Deletable, 'bytes'>;

/** @param runs folders of runs and races, such as `runs` @throws InputError for one that doesn't exist */
export async function deletables(kinds: readonly Cleaned[], runs: readonly string[]): Promise<Deletable[]> {
  const found = [...(await oldEngines()), ...caches(), ...runs.flatMap(folder => ofRuns(resolve(folder))), ...models()];
  const listed = CLEANED.filter(kind => kinds.includes(kind)).flatMap(kind => found.filter(each => each.kind === kind));
  return listed.map(each => ({ ...each, bytes: bytesIn(each.path) }));
}

/** @throws InputError if a run, race or installation has begun in the meantime, or what can't be deleted */
export function deleteOne(item: Deletable): void {
  const { path } = item;
  const release = claimOf(item);
  try {
    rmSync(path, { recursive: true, force: true });
  } catch (error) {
    throw asInputError(error, path);
  } finally {
    release?.();
  }
}

/** Keeps out, while it is deleted, who would use it. @returns null where nobody would */
function claimOf({ kind, path, run }: Deletable): (() => void) | null {
  if (run !== null) return claimRun(RunFolder.open(run));
  const race = dirname(path);
  const file = kind === 'engines' ? installLockFile() : isRace(race) ? join(race, 'process.json') : null;
  if (file === null) return null;
  const claim = claimFile(file);
  if ('release' in claim) return () => claim.release();
  throw new InputError(`${nameOfHolder(claim.heldBy)} has begun to use this`, {
    file: path,
    hint: 'It was not deleted. Try again when that process has ended.',
  });
}

function deletable(kind: Cleaned, path: string, about: string, run: string | null = null): Found {
  return { kind, path, about, run };
}

async function oldEngines(): Promise<Found[]> {
  if (holderOf(installLockFile())) return [];
  const used = await Promise.all([findInstallation({ gpu: false }), findInstallation({ gpu: true })]);
  const folders = [...used.map(installation => installation?.folder), dawnFolder(DAWN_VERSION)];
  return ownFolders(enginesFolder())
    .filter(path => /^(tensorflow-|webgpu-|partial-|replaced-)/.test(basename(path)) && !folders.includes(path))
    .map(path => deletable('engines', path, 'an engine that is no longer used'));
}

function caches(): Found[] {
  const path = checkedBlobsFolder();
  return isFolder(path) ? [deletable('caches', path, 'which model files were checked; they are read again')] : [];
}

function models(): Found[] {
  return ownFolders(pulledModelsFolder()).map(path =>
    deletable('models', path, 'a downloaded model; it is downloaded again when it is used'),
  );
}

function ofRuns(folder: string): Found[] {
  if (!isFolder(folder)) throw new InputError('this folder does not exist', { file: folder, key: '--runs' });
  return ownFolders(folder).flatMap(each => {
    if (isRace(each)) return ofRace(each);
    return existsSync(join(each, 'run.json')) ? ofRun(each) : [];
  });
}

const isRace = (folder: string) => existsSync(join(folder, 'race.json'));

function ofRace(folder: string): Found[] {
  if (holderOf(join(folder, 'process.json'))) return [];
  const cache = join(folder, 'cache');
  const own = isRealFolder(cache) ? [deletable('caches', cache, 'tokens of a race; they are made again')] : [];
  const runs = isRealFolder(join(folder, 'runs')) ? ofRuns(join(folder, 'runs')) : [];
  return [...own, ...runs.filter(({ kind }) => kind === 'checkpoints')];
}

/** Nothing of a run in progress, or of a folder that isn't quite one. */
function ofRun(path: string): Found[] {
  if (holderOf(join(path, 'process.json'))) return [];
  let folder: RunFolder;
  try {
    folder = RunFolder.open(path);
  } catch {
    return [];
  }
  const about = 'a checkpoint of a finished run';
  const finished = isFinished(folder);
  const steps = finished ? folder.checkpointSteps() : [];
  return [
    ...steps.map(step => deletable('checkpoints', folder.checkpoint(step), about, path)),
    deletable('runs', path, finished ? 'a run with its result' : 'a run without its result', path),
  ];
}

/**
 * Others are resumed from their checkpoints, of which the best may be an early one. Without the result, they have the only weights.
 */
function isFinished({ path, eventsFile }: RunFolder): boolean {
  try {
    const last = readEvents(eventsFile).findLast(event => event.type === 'completed' || event.type === 'started');
    if (last?.type !== 'completed' || last.reason !== 'finished') return false;
    return namesIn(join(path, last.adapter)).some(name => name.endsWith('.safetensors'));
  } catch {
    return false;
  }
}

/** Folders in a folder, without links. */
function ownFolders(folder: string): string[] {
  if (!isFolder(folder)) return [];
  return readdirSync(folder)
    .toSorted()
    .map(name => join(folder, name))
    .filter(isRealFolder);
}

function isRealFolder(path: string): boolean {
  return linkStatOf(path)?.isDirectory() ?? false;
}

/** Of files and links themselves, not of what links lead to. */
function bytesIn(path: string): number {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (!stat?.isDirectory()) return stat?.size ?? 0;
  return readdirSync(path).reduce((sum, name) => sum + bytesIn(join(path, name)), 0);
}
