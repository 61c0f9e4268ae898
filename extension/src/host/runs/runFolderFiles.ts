// The files of a run folder: their names, and how to read events without keeping them all. Used by folderRun.ts and
// wherever the host needs a file of a run; writes nothing.
import { closeSync, existsSync, fstatSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { uptime } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { runProcessSchema } from '../../protocol/controlCommand.js';
import { engineEventSchema, type EngineEvent } from '../../protocol/engineEvent.js';

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
});

const NEWLINE = 0x0a;
const CHUNK_BYTES = 1 << 20;

/** null for lines that are not events of this version. */
function parseLine(line: string): EngineEvent | null {
  try {
    return engineEventSchema.parse(JSON.parse(line));
  } catch {
    return null;
  }
}

function parseLines(text: string): EngineEvent[] {
  return text.split('\n').flatMap(line => {
    const event = line === '' ? null : parseLine(line);
    return event === null ? [] : [event];
  });
}

function withFile<T>(path: string, absent: T, read: (descriptor: number, size: number) => T): T {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch {
    return absent;
  }
  try {
    return read(descriptor, fstatSync(descriptor).size);
  } finally {
    closeSync(descriptor);
  }
}

function readBytes(descriptor: number, from: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  return bytes.subarray(0, readSync(descriptor, bytes, 0, length, from));
}

/** Whole lines of one chunk from `offset` on, and the offset of the next; null at the end of the file. */
export function readEventChunk(path: string, offset: number): { events: EngineEvent[]; next: number } | null {
  return withFile(path, null, (descriptor, size) => {
    for (let length = CHUNK_BYTES; offset < size; length *= 2) {
      const bytes = readBytes(descriptor, offset, Math.min(length, size - offset));
      const end = bytes.lastIndexOf(NEWLINE) + 1;
      if (end > 0) return { events: parseLines(bytes.toString('utf8', 0, end)), next: offset + end };
      if (offset + bytes.length >= size) return null;
    }
    return null;
  });
}

export function fileSize(path: string): number {
  return withFile(path, 0, (_descriptor, size) => size);
}

/**
 * Enough events of a file for the status of a run, without reading 100,000 steps: the last ones, and of the first ones
 * the start, since a loss from there would look like the latest.
 */
export function readEventEnds(path: string, endBytes = 32_768): EngineEvent[] {
  return withFile(path, [], (descriptor, size) => {
    if (size <= 2 * endBytes) {
      const bytes = readBytes(descriptor, 0, size);
      return parseLines(bytes.toString('utf8', 0, bytes.lastIndexOf(NEWLINE) + 1));
    }
    const head = readBytes(descriptor, 0, endBytes);
    const tail = readBytes(descriptor, size - endBytes, endBytes);
    return [
      ...parseLines(head.toString('utf8', 0, head.lastIndexOf(NEWLINE) + 1)).filter(({ type }) => type === 'started'),
      ...parseLines(tail.toString('utf8', tail.indexOf(NEWLINE) + 1, tail.lastIndexOf(NEWLINE) + 1)),
    ];
  });
}

/** The last lines of a text file that aren't empty, without terminal escapes; from its last `endBytes`. */
export function readLastLines(path: string, lines: number, endBytes = 16_384): string[] {
  return withFile(path, [], (descriptor, size) => {
    const from = Math.max(0, size - endBytes);
    const text = stripVTControlCharacters(readBytes(descriptor, from, size - from).toString('utf8'));
    // Of a line that a progress bar rewrote, the last version counts.
    const whole = text.split('\n').map(line => line.trimEnd().split('\r').at(-1)!);
    return whole.filter(line => line !== '').slice(-lines);
  });
}

/** Step of the latest checkpoint that the engine would resume from; null if there is none. */
export function lastCheckpointStep(folder: string): number | null {
  if (!existsSync(folder)) return null;
  const steps = readdirSync(folder).flatMap(name => {
    const step = /^step-(\d+)$/.exec(name)?.[1];
    return step !== undefined && existsSync(join(folder, name, 'state.json')) ? [Number(step)] : [];
  });
  return steps.length > 0 ? Math.max(...steps) : null;
}

/** ID of the process that trains in the folder, or null; a mark from before this machine booted doesn't count. */
export function livingProcess(path: string): number | null {
  const owner = runProcessSchema.safeParse(readJson(path));
  if (!owner.success) return null;
  const booted = Date.now() - uptime() * 1000;
  if (Date.parse(owner.data.started) < booted) return null;
  try {
    process.kill(owner.data.pid, 0);
    return owner.data.pid;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM' ? owner.data.pid : null;
  }
}

export function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return null;
  }
}
