// events.ndjson of a run folder: appended to line by line while a run goes on, read back by a resumed one. Called by the
// run and by tests. A line is written as a whole or not at all.
import { closeSync, existsSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { InputError } from '../../core/inputError.js';
import { engineEventSchema, type EngineEvent, type EngineEventBody } from '../../protocol/engineEvent.js';
import { asInputError } from '../files/atomicFile.js';

/** Events as written, one a line; a last line that a crash cut short is left out. */
export function readEvents(path: string): EngineEvent[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').split('\n');
  lines.pop();
  return lines.map((line, i) => {
    try {
      return engineEventSchema.parse(JSON.parse(line));
    } catch {
      throw new InputError('this is no event of a run', { file: path, line: i + 1 });
    }
  });
}

/** Stamps events with `seq` and `time` and appends them to events.ndjson. */
export class EventWriter {
  private readonly descriptor: number;
  private seq: number;
  /** Bytes of whole lines. */
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

  /** @throws InputError where the disk is full; the line is then left out as a whole */
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
