// manifest.json of a checkpoint: size and SHA-256 of each of its files. Written last, so that a checkpoint with one is complete; read
// by checkpoint.ts before anything else in the folder is believed.
import { createHash } from 'node:crypto';
import { closeSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { InputError } from '../../core/inputError.js';
import { openRegularFile, readRange } from '../../system/regularFile.js';
import { readJsonObject, writeJson } from '../files/jsonFile.js';

const MANIFEST = 'manifest.json';
const BLOCK_BYTES = 1 << 20;

const manifestSchema = z.object({ files: z.record(z.string(), z.object({ bytes: z.int(), sha256: z.string() })) });

/** @throws InputError if the disk is full */
export function writeManifest(folder: string, names: readonly string[]): void {
  const files = Object.fromEntries(names.map(name => [name, summaryOf(join(folder, name))]));
  writeJson(join(folder, MANIFEST), { files } satisfies z.infer<typeof manifestSchema>);
}

/**
 * Compares files with the manifest.
 * @returns false if the folder has no manifest
 * @throws InputError for a file that is missing or isn't as it was written
 */
export function checkManifest(folder: string, names: readonly string[]): boolean {
  const path = join(folder, MANIFEST);
  const read = readJsonObject(path, 'refuse');
  if (read === null) return false;
  const manifest = manifestSchema.safeParse(read);
  if (!manifest.success) throw new InputError('this is not the manifest of a checkpoint', { file: path });
  for (const name of names) {
    const file = join(folder, name);
    const written = manifest.data.files[name];
    if (!written) throw new InputError(`the manifest doesn’t list ${name}`, { file: path });
    if (!existsSync(file)) throw new InputError('the file is missing', { file });
    const { bytes, sha256 } = summaryOf(file);
    if (bytes !== written.bytes)
      throw new InputError(`the file has ${bytes} bytes, but ${written.bytes} were written`, { file });
    if (sha256 !== written.sha256)
      throw new InputError('the file isn’t as it was written (its SHA-256 differs)', { file });
  }
  return true;
}

function summaryOf(path: string): { bytes: number; sha256: string } {
  const { descriptor, size } = openRegularFile(path, 'refuse');
  const hash = createHash('sha256');
  try {
    for (let done = 0; done < size; done += BLOCK_BYTES)
      hash.update(readRange(descriptor, done, Math.min(size, done + BLOCK_BYTES)));
  } finally {
    closeSync(descriptor);
  }
  return { bytes: size, sha256: hash.digest('hex') };
}
