// Extracts selected files of a wheel into a folder while the wheel is downloaded. Called for wheels of the package index and for
// local ones. Never writes outside the folder or overwrites a file.
import { createReadStream, createWriteStream } from 'node:fs';
import { chmod, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { makeFolder } from '../../system/makeFolder.js';
import { InputError } from '../../core/inputError.js';
import { CACHE_ELSEWHERE, checkFreeSpace } from '../files/diskSpace.js';
import type { InstallContext } from './progress.js';
import { SourceError } from './sourceError.js';
import { TransferMeter } from './transferMeter.js';
import { readZip } from './zipReader.js';

/**
 * @param files regular expression over the paths in the wheel
 * @throws SourceError if the wheel is damaged or has a path outside the folder; InputError if the disk is full
 */
export async function unpackWheel(
  wheel: AsyncIterable<Buffer>,
  folder: string,
  files: string,
  signal?: AbortSignal,
): Promise<void> {
  const pattern = new RegExp(files);
  const written: string[] = [];
  const modes = await readZip(wheel, async ({ name, size, content }) => {
    signal?.throwIfAborted();
    if (/^\/|\\|\0|^[A-Za-z]:|(^|\/)\.\.(\/|$)/.test(name))
      throw new SourceError(`the wheel has a path outside its folder: ${JSON.stringify(name)}`);
    if (name.endsWith('/') || !pattern.test(name)) return;
    const path = join(folder, name);
    makeFolder(dirname(path));
    checkFreeSpace(folder, size ?? 0, CACHE_ELSEWHERE);
    written.push(name);
    await pipeline(content(), createWriteStream(path, { flags: 'wx' })).catch(error => {
      throw error.code === 'ENOSPC' ? new InputError('the disk is full', { file: folder }) : error;
    });
  });
  // TensorFlow runs NVIDIA's ptxas, which must be executable.
  for (const name of written) if (modes.get(name)! & 0o100) await chmod(join(folder, name), 0o755);
}

/** The same for a local wheel. */
export async function unpackWheelFile(
  path: string,
  folder: string,
  files: string,
  { onProgress, signal }: InstallContext,
): Promise<void> {
  const meter = new TransferMeter({ phase: 'unpack', message: basename(path) }, (await stat(path)).size, onProgress);
  await unpackWheel(meter.count(createReadStream(path)), folder, files, signal);
}
