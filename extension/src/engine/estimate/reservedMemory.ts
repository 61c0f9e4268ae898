// Memory that the training processes of this user are still going to take: each leaves its estimate as the name of a file that it claims.
// Called by prepareRun.ts and by whatever compares an estimate with free memory, so that two runs that fit alone don't start together.
import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { FileClaim } from '../../protocol/controlCommand.js';
import { claimFile, holderOf, isElsewhere } from '../../system/fileClaim.js';
import { makeFolder } from '../../system/makeFolder.js';
import { namesIn } from '../../system/regularFile.js';
import { cacheFolder } from '../install/paths.js';
import { rssBytesOf } from '../machine/processMemory.js';

export interface ReservedMemory {
  bytes: number;
  /** Of the processes that it is for. */
  pids: readonly number[];
}

export interface Reservation {
  /** What runs that were there before this one are still going to take. */
  earlier: ReservedMemory;
  release(): void;
}

/** `<bytes of the estimate>-<anything>` */
const NAME = /^(\d+)-[\w-]+$/;

function reservationsFolder(): string {
  return join(cacheFolder(), 'training');
}

/** Tells others what this process is going to take, until it is released or the process ends. */
export function reserveMemory(bytes: number): Reservation {
  const path = join(reservationsFolder(), `${Math.round(bytes)}-${randomUUID()}`);
  try {
    makeFolder(reservationsFolder());
    const claim = claimFile(path);
    if ('release' in claim) return { earlier: reserved(holderOf(path)), release: () => claim.release() };
  } catch {
    // Without a cache folder that can be written, others don't know of this run.
  }
  return { earlier: reservedMemory(), release: () => {} };
}

/** What the runs of this machine are still going to take. */
export function reservedMemory(): ReservedMemory {
  return reserved(null);
}

/** Of two that were made in the same millisecond, one is before the other for both. */
function isBefore(a: FileClaim, b: FileClaim): boolean {
  return a.started === b.started ? a.secret < b.secret : a.started < b.started;
}

/** @param before leaves out runs that were there later, so that of two that start at once one goes on */
function reserved(before: FileClaim | null): ReservedMemory {
  const pids: number[] = [];
  let bytes = 0;
  for (const name of namesIn(reservationsFolder())) {
    const estimate = Number(NAME.exec(name)?.[1] ?? NaN);
    // Files with which another process is making its claim are left alone.
    if (Number.isNaN(estimate)) continue;
    const path = join(reservationsFolder(), name);
    const holder = holderOf(path);
    if (holder === null) rmSync(path, { force: true });
    // How much another machine has left isn't known here.
    if (holder === null || isElsewhere(holder) || holder.pid === process.pid) continue;
    if (before !== null && !isBefore(holder, before)) continue;
    const rest = estimate - (rssBytesOf(holder.pid) ?? estimate);
    if (rest <= 0) continue;
    bytes += rest;
    pids.push(holder.pid);
  }
  return { bytes, pids };
}
