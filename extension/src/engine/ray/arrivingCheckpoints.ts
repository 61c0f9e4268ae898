// Checkpoints as they come from a cluster: in pieces over the log of a job, or from a folder that both can read. What is there in the end
// is a checkpoint of this program, from which a run goes on here or there.
import { closeSync, rmSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { CodedError } from '../../core/codedError.js';
import { makeFolder } from '../../system/makeFolder.js';
import { openRegularFile, readRange } from '../../system/regularFile.js';
import { fileHash } from '../data/fileHash.js';
import { writeFileAtomically } from '../files/atomicFile.js';
import { openSafetensors } from '../files/safetensors.js';
import { OPTIMIZER, TRAINABLE, writeCheckpoint, type TrainerState } from '../training/checkpoint.js';
import type { JobMessageOf } from './jobMessages.js';

export class ArrivingCheckpoints {
  /** Of all pieces and files. */
  bytes = 0;
  /** The file that is being written, by its path in the job. */
  private open: { path: string; descriptor: number; size: number } | null = null;

  constructor(
    /** For files of which not all has come. */
    private readonly folder: string,
    /** The run's folder in storage_path; null: this machine can't read it. */
    private readonly shared: () => string | null,
  ) {}

  take({ path, offset, data }: JobMessageOf<'piece'>): void {
    if (this.open?.path !== path) {
      this.close();
      makeFolder(dirname(this.pathOf(path)));
      this.open = { path, descriptor: openRegularFile(this.pathOf(path), 'refuse', 'write').descriptor, size: 0 };
    }
    if (offset !== this.open.size)
      throw new CodedError('server_failed', `a piece of ${path} is missing in the job’s log`, {
        hint: 'Resume the run with --resume.',
      });
    const bytes = Buffer.from(data, 'base64');
    for (let done = 0; done < bytes.length;)
      done += writeSync(this.open.descriptor, bytes, done, bytes.length - done, offset + done);
    this.open.size += bytes.length;
    this.bytes += bytes.length;
  }

  /** @throws CodedError if a file isn't as it was sent */
  async finish(folder: string, message: JobMessageOf<'checkpoint'>, state: TrainerState): Promise<void> {
    this.close();
    const from = (message.shared ? this.shared() : null) ?? this.folder;
    const source = (name: string) => join(from, `step-${message.state.step}`, name);
    for (const name of [TRAINABLE, OPTIMIZER]) {
      const expected = message.files[name];
      if (!expected || (await fileHash(source(name))) !== expected.sha256)
        throw new CodedError('server_failed', `${basename(folder)} didn’t arrive as the cluster sent it (${name})`, {
          hint: 'Resume the run with --resume.',
        });
      // Also its header and values, before they are used.
      openSafetensors(source(name)).close();
      if (message.shared) this.bytes += expected.bytes;
    }
    await writeCheckpoint(folder, state, partial => {
      for (const name of [TRAINABLE, OPTIMIZER]) copy(source(name), join(partial, name));
    });
    this.forget(message.state.step);
  }

  /** Deletes what came over the log. */
  forget(step: number): void {
    this.close();
    rmSync(join(this.folder, `step-${step}`), { recursive: true, force: true });
  }

  close(): void {
    if (this.open) closeSync(this.open.descriptor);
    this.open = null;
  }

  private pathOf(path: string): string {
    return join(this.folder, path);
  }
}

const BLOCK_BYTES = 1 << 20;

function copy(from: string, to: string): void {
  const { descriptor, size } = openRegularFile(from, 'refuse');
  try {
    writeFileAtomically(to, append => {
      for (let done = 0; done < size; done += BLOCK_BYTES)
        append(readRange(descriptor, done, Math.min(size, done + BLOCK_BYTES)));
    });
  } finally {
    closeSync(descriptor);
  }
}
