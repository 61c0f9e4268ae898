// step-losses.ndjson of a run folder: the loss of each row of each step, in the order of the step's rows. Written by the trainer, read
// for `rows --step`. Lines of a resumed run come after those of the steps that it repeats.
import { closeSync, writeSync } from 'node:fs';
import * as z from 'zod';
import { openRegularFile, readBytes } from '../../system/regularFile.js';
import { asInputError } from '../files/atomicFile.js';

const lineSchema = z.object({ step: z.int(), losses: z.array(z.number().nullable()) });

const DECIMALS = 4;

/** Appends lines; opened by the first one. */
export class StepLossWriter {
  private descriptor: number | null = null;

  constructor(private readonly path: string) {}

  /** @param losses of a finished step @throws InputError if the disk is full */
  write(step: number, losses: readonly number[]): void {
    try {
      this.descriptor ??= openRegularFile(this.path, 'refuse', 'append').descriptor;
      // A line that a crash left incomplete must not take this one with it.
      writeSync(
        this.descriptor,
        `\n${JSON.stringify({ step, losses: losses.map(loss => Number(loss.toFixed(DECIMALS))) })}`,
      );
    } catch (error) {
      throw asInputError(error, this.path);
    }
  }

  close(): void {
    if (this.descriptor !== null) closeSync(this.descriptor);
    this.descriptor = null;
  }
}

/** The losses of the rows of a step; null if they weren't recorded. */
export function readStepLosses(path: string, step: number): (number | null)[] | null {
  const text = readBytes(path, 'refuse')?.toString('utf8') ?? '';
  const start = text.lastIndexOf(`\n{"step":${step},`);
  if (start < 0) return null;
  const end = text.indexOf('\n', start + 1);
  return parsed(text.slice(start + 1, end < 0 ? undefined : end))?.losses ?? null;
}

/** null for a line that a crash left incomplete. */
function parsed(line: string): z.infer<typeof lineSchema> | null {
  try {
    return lineSchema.safeParse(JSON.parse(line)).data ?? null;
  } catch {
    return null;
  }
}
