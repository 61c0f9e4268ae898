// events.ndjson of a run folder: appended line by line during a run, read by a resumed one. A line is written completely or not at
// all.
import { closeSync, fsyncSync, ftruncateSync, writeSync } from 'node:fs';
import { InputError } from '../../core/inputError.js';
import { engineEventSchema, type EngineEvent, type EngineEventBody } from '../../protocol/engineEvent.js';
import { openRegularFile, readBytes } from '../../system/regularFile.js';
import { asInputError, writeFileAtomically } from '../files/atomicFile.js';

/** The longest text that Node can make of a file. */
const MAX_EVENTS_BYTES = 500 * 1024 * 1024;

/** Reads all events; an incomplete last line, left by a crash, is skipped. */
export function readEvents(path: string): EngineEvent[] {
  return eventsIn(wholeLines(path), path);
}

function eventsIn(bytes: Buffer, path: string): EngineEvent[] {
  return linesIn(bytes).map((line, i) => {
    const event = eventIn(line);
    if (!event)
      throw new InputError('this is not an event of a run', {
        file: path,
        line: i + 1,
        hint: 'The file is damaged. Remove this line.',
      });
    return event;
  });
}

/** Reads those lines that are events. */
export function readableEvents(path: string): EngineEvent[] {
  return linesIn(wholeLines(path)).flatMap(line => eventIn(line) ?? []);
}

function linesIn(bytes: Buffer): string[] {
  return bytes.toString('utf8').split('\n').slice(0, -1);
}

function eventIn(line: string): EngineEvent | null {
  try {
    return engineEventSchema.parse(JSON.parse(line));
  } catch {
    return null;
  }
}

/** Events after which what was written before must survive a power loss. */
const SYNCED: readonly string[] = ['started', 'checkpoint_saved', 'completed', 'failed'];

/** Adds `seq` and `time` to events and appends them to events.ndjson. */
export class EventWriter {
  /** Lines that weren't events and have been removed, so that a damaged file doesn't keep a run from being resumed. */
  readonly removedLines: readonly number[];
  /** Whether there were no events before. */
  readonly isNew: boolean;
  private readonly descriptor: number;
  private seq: number;
  /** Bytes of complete lines. */
  private size: number;

  constructor(
    private readonly path: string,
    private readonly listen: (event: EngineEvent) => void,
  ) {
    const before = wholeLines(path);
    this.isNew = before.length === 0;
    const lines = linesIn(before);
    const events = lines.map(eventIn);
    this.removedLines = events.flatMap((event, i) => (event ? [] : [i + 1]));
    this.seq = (events.findLast(event => event !== null)?.seq ?? -1) + 1;
    const kept =
      this.removedLines.length === 0
        ? before
        : Buffer.from(lines.flatMap((line, i) => (events[i] ? [`${line}\n`] : [])).join(''));
    this.size = kept.length;
    try {
      if (kept !== before) writeFileAtomically(path, append => append(kept));
      this.descriptor = openRegularFile(path, 'refuse', 'append').descriptor;
    } catch (error) {
      throw asInputError(error, path);
    }
    ftruncateSync(this.descriptor, this.size);
  }

  /** @throws InputError if the disk is full; no part of the line is then kept */
  readonly write = (body: EngineEventBody): void => {
    const event = { seq: this.seq, time: new Date().toISOString(), ...body } as EngineEvent;
    const line = Buffer.from(`${JSON.stringify(event)}\n`);
    try {
      for (let done = 0; done < line.length;) done += writeSync(this.descriptor, line, done);
      if (SYNCED.includes(event.type)) fsyncSync(this.descriptor);
    } catch (error) {
      this.removePart();
      throw asInputError(error, this.path);
    }
    this.size += line.length;
    this.seq++;
    this.listen(event);
  };

  close(): void {
    closeSync(this.descriptor);
  }

  private removePart(): void {
    try {
      ftruncateSync(this.descriptor, this.size);
    } catch {
      // The disk fails as a whole. The next process removes the part.
    }
  }
}

function wholeLines(path: string): Buffer {
  const bytes = readBytes(path, 'refuse', MAX_EVENTS_BYTES) ?? Buffer.alloc(0);
  return bytes.subarray(0, bytes.lastIndexOf(0x0a) + 1);
}
