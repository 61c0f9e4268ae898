// The files of a run folder: their names, and how to read events without keeping them all. Used by folderRun.ts and
// wherever the host needs a file of a run; writes nothing, and follows no link out of the folder.
import { closeSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { certificateName, certificateSchema, type Certificate } from '../../protocol/certificate.js';
import { engineEventSchema, type EngineEvent } from '../../protocol/engineEvent.js';
import { linkStatOf } from '../../system/fileStat.js';
import { namesIn, openRegularFile, readRange, readText } from '../../system/regularFile.js';

export const runFolderFiles = (folder: string) => ({
  run: join(folder, 'run.json'),
  events: join(folder, 'events.ndjson'),
  commands: join(folder, 'commands.ndjson'),
  process: join(folder, 'process.json'),
  /** Updated by open windows for a run that should end with them. */
  attended: join(folder, 'attended.json'),
  /** Standard output and error of the engine. */
  log: join(folder, 'engine.log'),
  checkpoints: join(folder, 'checkpoints'),
  /** Of a run on a cluster: its job. */
  job: join(folder, 'ray.json'),
});

const NEWLINE = 0x0a;
/** A thousand steps, which are read in a few milliseconds. */
const CHUNK_BYTES = 1 << 18;
/** Of the steps at the end of a file, those that a glance takes. */
const LAST_STEPS = 50;

/** null for lines that are not events of this version. */
function parseLine(line: string): EngineEvent | null {
  try {
    return engineEventSchema.parse(JSON.parse(line));
  } catch {
    return null;
  }
}

function parseLines(lines: readonly string[]): EngineEvent[] {
  return lines.flatMap(line => {
    const event = line === '' ? null : parseLine(line);
    return event === null ? [] : [event];
  });
}

/** More is not the log of a run, and would keep the extension host busy. */
const MAX_EVENTS_BYTES = 2 ** 31;
/** The longest line that is waited for. */
const MAX_LINE_BYTES = 1 << 26;
const MAX_RUN_FILE_BYTES = 16 << 20;

function withFile<T>(path: string, absent: T, read: (descriptor: number, size: number) => T): T {
  let descriptor: number | null = null;
  try {
    const file = openRegularFile(path, 'refuse');
    descriptor = file.descriptor;
    return file.size > MAX_EVENTS_BYTES ? absent : read(file.descriptor, file.size);
  } catch {
    return absent;
  } finally {
    if (descriptor !== null) closeSync(descriptor);
  }
}

/** Whole lines of one chunk from `offset` on, and the offset of the next; null at the end of the file. */
export function readEventChunk(path: string, offset: number): { events: EngineEvent[]; next: number } | null {
  return withFile(path, null, (descriptor, size) => {
    for (let length = CHUNK_BYTES; offset < size && length <= MAX_LINE_BYTES; length *= 2) {
      const bytes = readRange(descriptor, offset, Math.min(offset + length, size));
      const end = bytes.lastIndexOf(NEWLINE) + 1;
      if (end > 0) return { events: parseLines(wholeLines(bytes, 0)), next: offset + end };
      if (offset + bytes.length >= size) return null;
    }
    return null;
  });
}

/** 0 for what isn't a regular file. Looked at often, so it isn't opened. */
export function fileSize(path: string): number {
  try {
    const stat = linkStatOf(path);
    return stat?.isFile() ? stat.size : 0;
  } catch {
    return 0;
  }
}

/**
 * Enough events of a file for the status of a run, without reading 100,000 steps: the last ones, and of the first ones
 * the start, since a loss from there would look like the latest.
 */
export function readEventEnds(path: string, endBytes = 32_768): EngineEvent[] {
  return withFile(path, [], (descriptor, size) => {
    if (size <= 2 * endBytes) {
      const bytes = readRange(descriptor, 0, size);
      return parseLines(wholeLines(bytes, 0));
    }
    const head = readRange(descriptor, 0, endBytes);
    const tail = readRange(descriptor, size - endBytes, size);
    const starts = wholeLines(head, 0).filter(line => line.includes('"type":"started"'));
    const last = wholeLines(tail, tail.indexOf(NEWLINE) + 1);
    let steps = 0;
    const needed = last.toReversed().filter(line => !line.includes('"type":"step"') || ++steps <= LAST_STEPS);
    return [...parseLines(starts).filter(({ type }) => type === 'started'), ...parseLines(needed.toReversed())];
  });
}

function wholeLines(bytes: Buffer, from: number): string[] {
  return bytes.toString('utf8', from, bytes.lastIndexOf(NEWLINE) + 1).split('\n');
}

/** The last lines of a text file that aren't empty, without terminal escapes; from its last `endBytes`. */
export function readLastLines(path: string, lines: number, endBytes = 16_384): string[] {
  return withFile(path, [], (descriptor, size) => {
    const text = stripVTControlCharacters(readRange(descriptor, Math.max(0, size - endBytes), size).toString('utf8'));
    // Of a line that a progress bar rewrote, the last version counts.
    const whole = text.split('\n').map(line => line.trimEnd().split('\r').at(-1)!);
    return whole.filter(line => line !== '').slice(-lines);
  });
}

const MAX_CERTIFICATES = 50;

/** The certificates of a run's exports, latest first. */
export function readCertificates(folder: string): Certificate[] {
  const exports = join(folder, 'exports');
  const names = namesIn(exports).filter(name => name.endsWith(certificateName('')));
  const read = names.flatMap(name => certificateSchema.safeParse(readJson(join(exports, name))).data ?? []);
  return read.toSorted((a, b) => (a.created < b.created ? 1 : -1)).slice(0, MAX_CERTIFICATES);
}

/** Steps of the complete checkpoints, ascending. */
export function checkpointSteps(folder: string): number[] {
  const steps = namesIn(folder).flatMap(name => {
    const step = /^step-(\d+)$/.exec(name)?.[1];
    return step !== undefined && existsSync(join(folder, name, 'state.json')) ? [Number(step)] : [];
  });
  return steps.toSorted((a, b) => a - b);
}

/** Step of the latest checkpoint that the engine would resume from; null if there is none. */
export function lastCheckpointStep(folder: string): number | null {
  return checkpointSteps(folder).at(-1) ?? null;
}

/** Whether a job on a cluster, or one that was to be sent, has not been followed to its end. */
export function hasOpenJob(folder: string): boolean {
  const job = readJson(runFolderFiles(folder).job);
  return typeof job === 'object' && job !== null && 'ended' in job && job.ended === false;
}

/** Null for a file that is missing, isn't JSON or can't be read. */
export function readJson(path: string): unknown {
  try {
    return JSON.parse(readText(path, 'refuse', MAX_RUN_FILE_BYTES) ?? '');
  } catch {
    return null;
  }
}
