// events.ndjson of a run folder: appended line by line during a run, read by a resumed one. A line is written completely or not at
// all.
import { closeSync, ftruncateSync, writeSync } from 'node:fs';
import { InputError } from '../../core/inputError.js';
import { engineEventSchema, type EngineEvent, type EngineEventBody } from '../../protocol/engineEvent.js';
import { openRegularFile, readBytes } from '../../system/regularFile.js';
import { asInputError } from '../files/atomicFile.js';

/** The longest text that Node can make of a file. */
const MAX_EVENTS_BYTES = 500 * 1024 * 1024;

/** Reads all events; an incomplete last line, left by a crash, is skipped. */
export function readEvents(path: string): EngineEvent[] {
  return eventsIn(wholeLines(path), path);
}

function eventsIn(bytes: Buffer, path: string): EngineEvent[] {
  const lines = bytes.toString('utf8').split('\n');
  lines.pop();
  return lines.map((line, i) => {
    try {
      return engineEventSchema.parse(JSON.parse(line));
    } catch {
      throw new InputError('this is not an event of a run', { file: path, line: i + 1 });
    }
  });
}

/** Adds `seq` and `time` to events and appends them to events.ndjson. */
export class EventWriter {
  private readonly descriptor: number;
  private seq: number;
  /** Bytes of complete lines. */
  private size: number;

  constructor(
    private readonly path: string,
    private readonly listen: (event: EngineEvent) => void,
  ) {
    const before = wholeLines(path);
    this.seq = (eventsIn(before, path).at(-1)?.seq ?? -1) + 1;
    this.size = before.length;
    try {
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
    } catch (error) {
      ftruncateSync(this.descriptor, this.size);
      throw asInputError(error, this.path);
    }
    this.size += line.length;
    this.seq++;
    this.listen(event);
  };

  close(): void {
    closeSync(this.descriptor);
  }
}

function wholeLines(path: string): Buffer {
  const bytes = readBytes(path, 'refuse', MAX_EVENTS_BYTES) ?? Buffer.alloc(0);
  return bytes.subarray(0, bytes.lastIndexOf(0x0a) + 1);
}
