// events.ndjson of a run folder: appended line by line during a run, read by a resumed one. A line is written completely or not at
// all.
import { closeSync, existsSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { InputError } from '../../core/inputError.js';
import { engineEventSchema, type EngineEvent, type EngineEventBody } from '../../protocol/engineEvent.js';
import { asInputError } from '../files/atomicFile.js';

/** Reads all events; an incomplete last line, left by a crash, is skipped. */
export function readEvents(path: string): EngineEvent[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').split('\n');
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
    const before = readEvents(path);
    this.seq = (before.at(-1)?.seq ?? -1) + 1;
    this.size = existsSync(path) ? lengthOfWholeLines(path) : 0;
    try {
      this.descriptor = openSync(path, 'a');
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

function lengthOfWholeLines(path: string): number {
  return readFileSync(path).lastIndexOf(0x0a) + 1;
}
