// A file that one process at a time can claim: process.json of a run folder, the lock of an installation. Engine and host ask the
// same question of it: does the process that it names hold it? A pid alone says nothing: it is used again after a reboot and in
// another container, and anyone can write it into a file. Signals only a process that is proved to hold the file, and replaces only
// a claim that isn't held. Nothing can be proved of a process on another machine or in another container: it holds its claim as long
// as it renews the time of the file.
import { createHash, randomUUID } from 'node:crypto';
import {
  closeSync,
  constants,
  copyFileSync,
  fsyncSync,
  linkSync,
  openSync,
  renameSync,
  rmSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { InputError } from '../core/inputError.js';
import { fileClaimSchema, type FileClaim } from '../protocol/controlCommand.js';
import { linkStatOf } from './fileStat.js';
import { identify, isTrainingEngine, mayHoldOpen, pidSpace, type ProcessIdentity } from './processIdentity.js';
import { fileMode } from './privateFolder.js';
import { namesIn, readText } from './regularFile.js';

const MAX_CLAIM_BYTES = 4096;

/** Of file systems without hard links. */
const NO_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'];

/** An empty claim counts as left behind after this many checks. */
const MAX_COPY_CHECKS = 25;
const COPY_CHECK_MS = 20;

const RENEW_MS = 5_000;

/** A claim from elsewhere that wasn't renewed for this time was left behind. One step of a large model, in which nothing is renewed, takes less. */
const RENEWED_MS = 60_000;

export type ClaimOutcome = { release(): void } | { heldBy: FileClaim };

/**
 * Claims `path` for this process, also if a process that no longer holds it has left it behind. Of several processes that do so at
 * once, one succeeds.
 * The claim is lost if this process is suspended for longer than {@link RENEWED_MS} and one elsewhere takes it over: then this one ends
 * with an uncaught InputError, since two would write to the same files.
 * @returns a function that releases it, or the claim of the process that holds it
 * @throws NodeJS.ErrnoException if the folder can't be written
 */
export function claimFile(path: string): ClaimOutcome {
  const own = new OwnClaim(path);
  try {
    const heldBy = place(own);
    if (heldBy === null) {
      own.keep();
      return own;
    }
    own.release();
    return { heldBy };
  } catch (error) {
    own.release();
    throw error;
  } finally {
    own.clearUp();
  }
}

/** The claim in `path` if the process that it names is alive and holds it; null for none, and for one left behind. */
export function holderOf(path: string): FileClaim | null {
  const claim = claimIn(textOf(path));
  return claim && isHeld(claim, path) ? claim : null;
}

/** Whether the process of a claim is on another machine or in another container, where its pid says nothing here. */
export function isElsewhere({ pidSpace: its }: FileClaim): boolean {
  return its !== undefined && its !== pidSpace();
}

/** For messages. */
export function nameOfHolder(claim: FileClaim): string {
  return isElsewhere(claim) ? 'a process on another machine or in another container' : `process ${claim.pid}`;
}

/** What to do about a folder that is held. */
export function freeHint(claim: FileClaim): string {
  const hint = 'Stop it first, or choose another folder with --out.';
  return isElsewhere(claim) ? `${hint} If it was killed, try again in a minute.` : hint;
}

/** Removes what processes that died while they claimed `path` have left beside it. Called by the process that holds it. */
export function sweepClaims(path: string): void {
  for (const name of namesIn(dirname(path)).filter(name => name.startsWith(`${basename(path)}.`))) {
    const file = join(dirname(path), name);
    const claim = claimIn(textOf(file));
    // What isn't complete may be of a process that has just begun.
    if (claim ? !isHeld(claim, file) : !isRecent(file)) rmSync(file, { force: true });
  }
}

/**
 * Sends a signal to the training engine that holds `path`, which is proved again first.
 * @returns false if it isn't held by an engine; nothing is signalled then
 */
export function signalHolder(path: string, signal: NodeJS.Signals): boolean {
  const claim = claimIn(textOf(path));
  const identity = claim && proven(claim);
  if (!identity || !isTrainingEngine(identity.args)) return false;
  process.kill(claim.pid, signal);
  return true;
}

/**
 * The claim of this process: a file under a name with its secret, kept open. That name, seen among the open files of a process, is
 * the proof that the process holds the claim. It is put in place by hard links, which are complete or not there.
 */
class OwnClaim {
  private readonly secret = randomUUID();
  private readonly temporary: string;
  private descriptor: number | null;
  private renewing: NodeJS.Timeout | undefined;
  private readonly text: string;

  constructor(readonly path: string) {
    this.temporary = `${path}.${this.secret}`;
    const claim: FileClaim = {
      pid: process.pid,
      started: new Date().toISOString(),
      start: identify(process.pid)?.start ?? '',
      pidSpace: pidSpace(),
      secret: this.secret,
    };
    this.text = `${JSON.stringify(claim)}\n`;
    const descriptor = openSync(this.temporary, 'wx', fileMode(path));
    writeSync(descriptor, this.text);
    fsyncSync(descriptor);
    this.descriptor = descriptor;
  }

  /** @returns false if `target` exists */
  putAt(target: string): boolean {
    try {
      try {
        linkSync(this.temporary, target);
      } catch (error) {
        if (!NO_LINKS.includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
        copyFileSync(this.temporary, target, constants.COPYFILE_EXCL);
      }
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw error;
    }
  }

  /** Replaces a claim that was left behind. */
  replace(): void {
    const next = `${this.temporary}.next`;
    this.putAt(next);
    renameSync(next, this.path);
  }

  /** Renews the claim as long as it is in place. */
  keep(): void {
    this.renewing = setInterval(() => {
      const present = textOf(this.path);
      const now = new Date();
      try {
        if (present === this.text) utimesSync(this.path, now, now);
      } catch {
        // The disk fails, or the folder was deleted.
      }
      if (present === this.text || claimIn(present) === null) return;
      clearInterval(this.renewing);
      throw new InputError('another process has taken over while this one was suspended, so this one ends', {
        file: this.path,
        hint: 'What was saved before is kept.',
      });
    }, RENEW_MS).unref();
  }

  /** The name is no longer needed; the open file keeps it. */
  clearUp(): void {
    rmSync(this.temporary, { force: true });
  }

  release(): void {
    if (this.descriptor === null) return;
    clearInterval(this.renewing);
    try {
      if (textOf(this.path) === this.text) rmSync(this.path, { force: true });
    } catch {
      // The disk fails. Once the file is closed, what is left of the claim proves nothing.
    }
    closeSync(this.descriptor);
    this.descriptor = null;
  }
}

/** @returns null once it is in place, else the claim of the process that holds the file */
function place(own: OwnClaim): FileClaim | null {
  for (;;) {
    if (own.putAt(own.path)) return null;
    const present = completeText(own.path);
    if (present === null) continue;
    const claim = claimIn(present);
    if (claim && isHeld(claim, own.path)) return claim;
    const outcome = takeOver(own, present);
    if (outcome !== 'again') return outcome;
  }
}

/**
 * Replaces a claim that was left behind. For that, a process must first create the one file that is named after the content of that
 * claim: of several processes only one can, and no claim made in the meantime is replaced. If that process dies, the next file is
 * named after the content of its file.
 */
function takeOver(own: OwnClaim, stale: string): FileClaim | 'again' | null {
  const files: string[] = [];
  for (let last = stale; ;) {
    const file = `${own.path}.after-${createHash('sha256').update(last).digest('hex').slice(0, 16)}`;
    files.push(file);
    if (own.putAt(file)) break;
    const other = textOf(file);
    if (other === null) return 'again';
    const claim = claimIn(other);
    if (claim && isHeld(claim, file)) return claim;
    last = other;
  }
  const isStill = textOf(own.path) === stale;
  if (isStill) own.replace();
  for (const file of isStill ? files : files.slice(-1)) rmSync(file, { force: true });
  return isStill ? null : 'again';
}

/** The text of a claim that may just be being copied, where there are no hard links. */
function completeText(path: string): string | null {
  let text = textOf(path);
  for (let i = 0; text === '' && i < MAX_COPY_CHECKS; i++) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, COPY_CHECK_MS);
    text = textOf(path);
  }
  return text;
}

/** Null if there is nothing; empty for what isn't a file, or isn't a claim's size. */
function textOf(path: string): string | null {
  try {
    return readText(path, 'refuse', MAX_CLAIM_BYTES);
  } catch {
    return '';
  }
}

/** Null for what isn't a claim, such as process.json of version 0, which doesn't prove anything. */
function claimIn(text: string | null): FileClaim | null {
  try {
    return fileClaimSchema.parse(JSON.parse(text ?? ''));
  } catch {
    return null;
  }
}

/** The process of a claim, if it is the one that made it. */
function proven(claim: FileClaim): ProcessIdentity | null {
  const { pid, start, secret } = claim;
  if (isElsewhere(claim)) return null;
  const identity = identify(pid);
  return identity?.start === start && mayHoldOpen(pid, secret) ? identity : null;
}

/** By secret: whether its process had made it. Asked once where the answer takes a program of the operating system. */
const asked = new Map<string, boolean>();

/** @param path of the file that the claim is in */
function isHeld(claim: FileClaim, path: string): boolean {
  if (isElsewhere(claim)) return isRecent(path);
  if (process.platform === 'linux') return proven(claim) !== null;
  if (!asked.has(claim.secret)) asked.set(claim.secret, proven(claim) !== null);
  return asked.get(claim.secret)! && isAlive(claim.pid);
}

function isRecent(path: string): boolean {
  return Math.abs(Date.now() - (linkStatOf(path)?.mtimeMs ?? -Infinity)) < RENEWED_MS;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
