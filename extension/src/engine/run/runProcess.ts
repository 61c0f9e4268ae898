// What connects a training process with those who watch its run folder: process.json says that it lives, commands.ndjson
// brings what they ask for, attended.json says that a window is there for a run that is to end with its windows.
import { closeSync, openSync, readSync, rmSync, statSync } from 'node:fs';
import { InputError } from '../../core/inputError.js';
import { controlCommandSchema, runProcessSchema, type ControlCommand } from '../../protocol/controlCommand.js';
import { writeFileAtomically } from '../files/atomicFile.js';
import { readJsonObject } from '../files/jsonFile.js';
import type { RunFolder } from '../runFolder/runFolder.js';
import { isAlive } from '../machine/processAlive.js';

/**
 * Marks the folder as being trained in by this process, whatever the windows of an earlier one wanted.
 * @returns a function that takes the marks away
 * @throws InputError where another process trains in it
 */
export function claimRun(folder: RunFolder): () => void {
  const other = otherProcess(folder);
  if (other !== null)
    throw new InputError(`process ${other} is training in this run folder`, {
      file: folder.path,
      hint: 'Stop it first, or name another folder with --out.',
    });
  const text = JSON.stringify({ pid: process.pid, started: new Date().toISOString() });
  writeFileAtomically(folder.processFile, append => append(Buffer.from(`${text}\n`)));
  forgetOldWindows(folder.attendedFile);
  return () => {
    for (const file of [folder.processFile, folder.attendedFile]) rmSync(file, { force: true });
  };
}

/** Another living process that trains in the folder, or null. */
export function otherProcess(folder: RunFolder): number | null {
  const owner = runProcessSchema.safeParse(readJsonObject(folder.processFile));
  return owner.success && owner.data.pid !== process.pid && isAlive(owner.data.pid) ? owner.data.pid : null;
}

/** How often a window's mark is looked at; windows renew it as often. */
const LOOK_MS = 5_000;
/** So many looks in a row may find it as it was: a window that is reloaded has half a minute to be back. */
const PATIENT_LOOKS = 6;

/**
 * Whether the last window has gone, of a run that ends with its windows: such a one has a mark, which nobody renews any more. What
 * is counted is looks and not time, so that a machine that slept doesn't end its runs.
 */
export function abandonment(path: string, now = () => performance.now()): () => boolean {
  let looked = -Infinity;
  let seen: number | null = null;
  let inVain = 0;
  return () => {
    if (now() - looked < LOOK_MS) return false;
    looked = now();
    const renewed = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? null;
    inVain = renewed !== null && renewed === seen ? inVain + 1 : 0;
    seen = renewed;
    return inVain >= PATIENT_LOOKS;
  };
}

/**
 * Takes away a mark that windows made for an earlier process. One made since this process began stays, however old: its window may
 * have closed while a large model was loaded.
 * @param began milliseconds since 1970
 */
export function forgetOldWindows(path: string, began = performance.timeOrigin): void {
  const renewed = statSync(path, { throwIfNoEntry: false })?.mtimeMs;
  if (renewed !== undefined && renewed < began) rmSync(path, { force: true });
}

/** Reads the commands appended since the last call; those from before it was made are not for this process. */
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
        // An empty line, or one that means nothing to this version.
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
