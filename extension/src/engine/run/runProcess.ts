// Connects a training process with windows through files in its run folder: process.json says that the process is alive,
// commands.ndjson has commands to it, attended.json says that a window is open for a run that ends with its windows.
import { closeSync, openSync, readSync, rmSync, statSync } from 'node:fs';
import { InputError } from '../../core/inputError.js';
import { controlCommandSchema, runProcessSchema, type ControlCommand } from '../../protocol/controlCommand.js';
import { writeFileAtomically } from '../files/atomicFile.js';
import { readJsonObject } from '../files/jsonFile.js';
import type { RunFolder } from '../runFolder/runFolder.js';
import { isAlive } from '../machine/processAlive.js';

/**
 * Marks the folder as in use by this process, and removes marks that windows made for an earlier one.
 * @returns a function that removes the marks
 * @throws InputError if another process trains in it
 */
export function claimRun(folder: RunFolder): () => void {
  const other = otherProcess(folder);
  if (other !== null)
    throw new InputError(`process ${other} is training in this run folder`, {
      file: folder.path,
      hint: 'Stop it first, or choose another folder with --out.',
    });
  const text = JSON.stringify({ pid: process.pid, started: new Date().toISOString() });
  writeFileAtomically(folder.processFile, append => append(Buffer.from(`${text}\n`)));
  forgetOldWindows(folder.attendedFile);
  return () => {
    for (const file of [folder.processFile, folder.attendedFile]) rmSync(file, { force: true });
  };
}

/** Id of another running process that trains in the folder, or null. */
export function otherProcess(folder: RunFolder): number | null {
  const owner = runProcessSchema.safeParse(readJsonObject(folder.processFile));
  return owner.success && owner.data.pid !== process.pid && isAlive(owner.data.pid) ? owner.data.pid : null;
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
    const renewed = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? null;
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
  const renewed = statSync(path, { throwIfNoEntry: false })?.mtimeMs;
  if (renewed !== undefined && renewed < began) rmSync(path, { force: true });
}

/** Returns a function that reads the commands appended since its last call; earlier ones were for another process. */
export function commandReader(path: string): () => ControlCommand[] {
  let offset = fileSize(path);
  return () => {
    const size = fileSize(path);
    if (size <= offset) return [];
    const text = readRange(path, offset, size);
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

function fileSize(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function readRange(path: string, from: number, to: number): string {
  const descriptor = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(to - from);
    return bytes.toString('utf8', 0, readSync(descriptor, bytes, 0, bytes.length, from));
  } finally {
    closeSync(descriptor);
  }
}
