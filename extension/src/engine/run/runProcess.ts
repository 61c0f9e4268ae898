// Connects a training process with windows through files in its run folder: process.json says that the process is alive,
// commands.ndjson has commands to it, attended.json says that a window is open for a run that ends with its windows.
import { closeSync, rmSync } from 'node:fs';
import { InputError } from '../../core/inputError.js';
import { controlCommandSchema, type ControlCommand } from '../../protocol/controlCommand.js';
import { claimFile, freeHint, holderOf, nameOfHolder, sweepClaims } from '../../system/fileClaim.js';
import { makePrivateFolder } from '../../system/makeFolder.js';
import { openRegularFile, readRange, regularFileSize } from '../../system/regularFile.js';
import { asInputError } from '../files/atomicFile.js';
import type { RunFolder } from '../runFolder/runFolder.js';
import { linkStatOf } from '../../system/fileStat.js';

/**
 * Claims the folder for this process, and removes what earlier ones left: marks of windows, and files of processes that were killed.
 * @returns a function that releases it
 * @throws InputError if another process trains in it, or the folder can't be written
 */
export function claimRun(folder: RunFolder): () => void {
  makePrivateFolder(folder.path);
  const claim = claimOf(folder);
  if ('heldBy' in claim) {
    const { heldBy } = claim;
    throw new InputError(`${nameOfHolder(heldBy)} is training in this run folder since ${heldBy.started}`, {
      file: folder.path,
      hint: freeHint(heldBy),
    });
  }
  try {
    sweepClaims(folder.processFile);
    folder.sweep();
  } catch (error) {
    claim.release();
    throw asInputError(error, folder.path);
  }
  forgetOldWindows(folder.attendedFile);
  return () => {
    claim.release();
    forget(folder.attendedFile);
  };
}

/** A mark that can't be removed is of no harm: it isn't renewed. */
function forget(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // The disk fails.
  }
}

function claimOf(folder: RunFolder): ReturnType<typeof claimFile> {
  try {
    return claimFile(folder.processFile);
  } catch (error) {
    throw asInputError(error, folder.processFile);
  }
}

/** Whether a process trains in the folder. */
export function isClaimed(folder: RunFolder): boolean {
  return holderOf(folder.processFile) !== null;
}

/** How often a window's mark is checked; windows renew it at the same interval. */
const CHECK_MS = 5_000;
/** Checks in a row that find the mark unchanged before the window counts as closed: it has half a minute to reload. */
const MAX_UNCHANGED = 6;

/**
 * Whether the last window of a run that ends with its windows was closed: its mark exists but is no longer renewed. Counts checks
 * instead of time, so that a run doesn't end because the machine was asleep.
 */
export function abandonment(path: string, now = () => performance.now()): () => boolean {
  let checked = -Infinity;
  let previous: number | null = null;
  let unchanged = 0;
  return () => {
    if (now() - checked < CHECK_MS) return false;
    checked = now();
    const renewed = linkStatOf(path)?.mtimeMs ?? null;
    unchanged = renewed !== null && renewed === previous ? unchanged + 1 : 0;
    previous = renewed;
    return unchanged >= MAX_UNCHANGED;
  };
}

/**
 * Removes a mark that windows made for an earlier process. A mark made since this process began is kept, even if it is old: the
 * window may have been closed while a large model was loading.
 * @param began milliseconds since 1970
 */
export function forgetOldWindows(path: string, began = performance.timeOrigin): void {
  const renewed = linkStatOf(path)?.mtimeMs;
  if (renewed !== undefined && renewed < began) rmSync(path, { force: true });
}

/** Returns a function that reads the commands appended since its last call; earlier ones were for another process. */
export function commandReader(path: string): () => ControlCommand[] {
  let offset = regularFileSize(path, 'refuse') ?? 0;
  return () => {
    const text = readFrom(path, offset);
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    offset += Buffer.byteLength(whole);
    return whole.split('\n').flatMap(line => {
      try {
        return [controlCommandSchema.parse(JSON.parse(line))];
      } catch {
        // An empty line, or a command that this version doesn't know.
        return [];
      }
    });
  };
}

/** More is read at the next call. */
const MAX_READ_BYTES = 1 << 20;

function readFrom(path: string, offset: number): string {
  const size = regularFileSize(path, 'refuse') ?? 0;
  if (size <= offset) return '';
  const { descriptor } = openRegularFile(path, 'refuse');
  try {
    return readRange(descriptor, offset, Math.min(size, offset + MAX_READ_BYTES)).toString('utf8');
  } finally {
    closeSync(descriptor);
  }
}
