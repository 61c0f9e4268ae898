// A race: each run as a process of its own, so that its peak memory is its own, one after the other or some at a time. Called by the `race` command;
// prints nothing. What it knows of earlier runs it reads from the race folder, so that it can be ended and resumed at any time.
import { endedBySignal } from '../../core/runs/endedBySignal.js';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CancelledError, CodedError } from '../../core/codedError.js';
import { InputError } from '../../core/inputError.js';
import { parallelRuns, type RaceConfig } from '../../protocol/raceConfig.js';
import type { EngineEvent } from '../../protocol/engineEvent.js';
import { claimFile, freeHint, nameOfHolder } from '../../system/fileClaim.js';
import { makePrivateFolder } from '../../system/makeFolder.js';
import { asInputError, isTemporary, sweepTemporary } from '../files/atomicFile.js';
import { writeJson } from '../files/jsonFile.js';
import { failedEvent } from '../run/failedEvent.js';
import { readRunFile } from '../run/readRunFile.js';
import { differingKeys } from '../run/resolvedRun.js';
import { EventWriter, readableEvents } from '../runFolder/eventLog.js';
import { RunFolder } from '../runFolder/runFolder.js';
import { planRace, readRaceFile, type PlannedEntry, type RaceInputs } from './planRace.js';
import { cacheFolder, eventsFile, figuresOf, noRace, raceFile, readInputs, writeRace } from './raceFolder.js';
import { runProgram, type ProgramEnd, type Interruption } from './runProgram.js';
import { answerSuites, suitesOf } from './suiteScores.js';

/** `signal` ends the current run with a checkpoint. */
export interface RaceRequest extends Interruption {
  /** The race file. */
  file: string;
  /** The race folder. */
  out: string;
  /** Continue the race in `out`: finished and failed runs are kept. */
  resume: boolean;
  /** Start runs even if their estimate exceeds the available memory. */
  force: boolean;
  /** The runs may be sent to the cluster that they name. */
  yes: boolean;
  /** Report events instead of showing what `train` shows. */
  json: boolean;
  /** Before each run that begins or is continued. */
  onStart(entry: RaceEntryStart): void;
  /** All events with `json`, else only that a run has failed. */
  onEvent(entry: RaceEntryStart, event: EngineEvent): void;
}

export interface RaceEntryStart {
  name: string;
  seed: number;
  /** Path of the run folder. */
  run: string;
  /** Counted from 1. */
  number: number;
  of: number;
}

/**
 * @throws InputError for anything wrong with any of the runs, before the first begins
 * @throws CancelledError if it was interrupted; what to do next is the caller's to say
 */
export async function runRace(request: RaceRequest): Promise<void> {
  const { file, out, resume, signal } = request;
  const read = readRaceFile(file);
  const isNew = checkFolder(out, resume);
  const isOwn = !existsSync(out);
  const release = claim(out);
  try {
    const { entries, inputs } = await planRace(read, { signal, cache: cacheFolder(out) });
    if (!isNew) checkKept(out, entries, inputs);
    writeRace(out, read.race, inputs);
    const { config } = entries[0]!;
    const suites = await suitesOf(config);
    await answerSuites(out, 'base', config, suites, request);
    // Answers are made on this machine, for one run at a time, also while others train.
    let answered = Promise.resolve();
    const takeTurn = async (entry: PlannedEntry, i: number) => {
      const { status, run } = figuresOf(out, entry);
      if (status === 'running') throw new InputError('a process is training in this run folder', { file: run });
      if (status !== 'finished' && status !== 'failed')
        await runEntry(entry, { ...entry, run, number: i + 1, of: entries.length }, request);
      answered = answered.then(async () => {
        if (figuresOf(out, entry).status === 'finished')
          await answerSuites(run, 'result', entry.config, suites, request);
      });
      await answered;
    };
    await inParallel(entries, parallelOf(read.race, entries), takeTurn, signal);
    if (signal.aborted) throw new CancelledError();
  } finally {
    release();
    if (isNew && !existsSync(raceFile(out))) rmSync(isOwn ? out : cacheFolder(out), { recursive: true, force: true });
  }
}

function parallelOf(race: RaceConfig, [first]: readonly PlannedEntry[]): number {
  return parallelRuns(race, first!.config.engine.backend === 'ray');
}

/**
 * Works on `limit` items at a time, in order; after an error or an interruption it begins no other.
 * @throws CancelledError if it was interrupted with items left; the first error, once those that were begun have ended
 */
async function inParallel<T>(
  items: readonly T[],
  limit: number,
  work: (item: T, index: number) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const failures: unknown[] = [];
  let next = 0;
  const worker = async () => {
    while (next < items.length && failures.length === 0) {
      if (signal.aborted) throw new CancelledError();
      const index = next++;
      await work(items[index]!, index);
    }
  };
  const fail = (error: unknown) => void failures.push(error);
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, () => worker().catch(fail)));
  if (failures.length > 0) throw failures.find(error => !(error instanceof CancelledError)) ?? failures[0];
}

/** @returns whether the race is a new one @throws InputError if the folder has another one, or none to resume */
function checkFolder(out: string, resume: boolean): boolean {
  const exists = existsSync(raceFile(out));
  if (exists && !resume)
    throw new InputError('this folder has a race', {
      file: out,
      hint: 'Continue it with --resume, or choose another folder with --out.',
    });
  if (!exists && resume) throw noRace(out);
  const isOther = (name: string) => !isTemporary(name) && !OF_NO_RACE.some(own => name.startsWith(own));
  if (!exists && existsSync(out) && readdirSync(out).some(isOther))
    throw new InputError('the folder is not empty', { file: out, hint: 'Choose another one with --out.' });
  return !exists;
}

/** What a folder may have before its race: from one that ended while it was planned, and from the editor. */
const OF_NO_RACE = ['cache', 'process.json', 'engine.log', 'commands.ndjson'];

function claim(out: string): () => void {
  try {
    makePrivateFolder(out);
    const claimed = claimFile(join(out, 'process.json'));
    if ('release' in claimed) {
      for (const folder of [out, cacheFolder(out)]) sweepTemporary(folder);
      return () => claimed.release();
    }
    throw new InputError(`${nameOfHolder(claimed.heldBy)} is running this race`, {
      file: out,
      hint: freeHint(claimed.heldBy),
    });
  } catch (error) {
    throw asInputError(error, out);
  }
}

/** @throws InputError if runs of the folder had other settings, rows or weights than they would have now */
function checkKept(out: string, entries: readonly PlannedEntry[], inputs: RaceInputs): void {
  const before = readInputs(out);
  const [changed] = before ? differingKeys(inputs, before) : [];
  if (changed !== undefined)
    throw new InputError(`${INPUT_NAMES[changed as keyof RaceInputs]} changed since this race began`, {
      file: out,
      hint: 'Runs before and after the change can’t be compared: start a new race, with another --out.',
    });
  for (const { name, seed, folder, config } of entries) {
    const file = join(out, folder, 'run.json');
    if (!existsSync(file)) continue;
    const differing = differingKeys(config, readRunFile(file, 'refuse').config);
    const key = differing.find(each => each !== 'dataset.suites');
    if (key !== undefined)
      throw new InputError(`"${name}" with seed ${seed} was run with another value`, {
        file,
        key,
        hint: 'Delete its run folder to run it again, give the entry another name, or start a new race with another --out.',
      });
  }
}

const INPUT_NAMES: Record<keyof RaceInputs, string> = {
  model: 'the model',
  train: 'the training rows',
  validation: 'the validation rows',
};

async function runEntry(entry: PlannedEntry, started: RaceEntryStart, request: RaceRequest): Promise<void> {
  const { out, force, yes, json, signal, quit, onStart, onEvent } = request;
  const { run } = started;
  const file = join(run, 'run.json');
  if (!existsSync(file)) writeJson(file, entry.config);
  onStart(started);
  const resume = [eventsFile(run), join(run, 'checkpoints')].some(existsSync);
  const asked = { '--resume': resume, '--force': force, '--yes': yes, '--json': json };
  const flags = Object.entries(asked).flatMap(([flag, isAsked]) => (isAsked ? [flag] : []));
  let hasFailed = false;
  const listen = (event: EngineEvent) => {
    hasFailed ||= event.type === 'failed';
    onEvent(started, event);
  };
  const args = ['train', file, '--out', run, '--cache', cacheFolder(out), ...flags];
  const onLine = (line: string) => {
    const event = JSON.parse(line) as EngineEvent | { type: 'error' };
    // The error record ends the output of a command; that of the race goes on.
    if (event.type !== 'error') listen(event);
  };
  const end = await runProgram(args, { signal, quit }, json ? onLine : null);
  const { status } = figuresOf(out, entry);
  // A run that was stopped from a window is left to be continued.
  const isDead = status === 'waiting' || (status === 'interrupted' && end.signal !== null);
  if (isDead && !signal.aborted) recordDeath(run, end, listen);
  // What is wrong before a run begins is written to its events only.
  else if (status === 'failed' && !hasFailed) listen(readableEvents(eventsFile(run)).at(-1)!);
}

/** A process that was killed leaves no `failed` event, without which the run would be resumed and perhaps killed again. */
function recordDeath(run: string, { signal, oomKills }: ProgramEnd, listen: (event: EngineEvent) => void): void {
  const folder = RunFolder.open(run);
  const events = new EventWriter(folder.eventsFile, listen);
  const { code, message, ...details } = signal
    ? endedBySignal(signal, oomKills)
    : { code: 'internal' as const, message: 'the process ended without a message' };
  events.write(failedEvent(folder, new CodedError(code, message, details)));
  events.close();
}
