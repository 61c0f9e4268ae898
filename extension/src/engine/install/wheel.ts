// Second source of the library: the TensorFlow wheel of the Python package index, or one that the user has. Keeps the two
// libraries and the headers, in the layout of site-packages: the libraries' own run path finds NVIDIA's beside them in that
// layout alone.
import { createReadStream } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { InstallContext } from './progress.js';
import { SourceError } from './sourceError.js';
import { TransferMeter } from './transferMeter.js';
import { unpackWheel } from './wheelArchive.js';
import { wheelFetcher } from './wheelFetcher.js';
import { CUDA_FILES, cudaRequirements, TENSORFLOW_FILES, type WheelPlan } from './wheelPlan.js';

/**
 * Fills `folder` with `tensorflow/` (libraries, include/) and, where `gpu`, `nvidia/`.
 * @throws SourceError with a line for each way that failed
 */
export async function provideFromWheel(
  folder: string,
  plan: WheelPlan,
  gpu: boolean,
  context: InstallContext,
): Promise<void> {
  const fetchWheel = wheelFetcher(plan, folder, context);
  await fetchWheel(plan.requirement, TENSORFLOW_FILES);
  if (!gpu) return;
  for (const requirement of cudaRequirements(await readMetadata(folder))) await fetchWheel(requirement, CUDA_FILES);
}

/** Unpacks what is kept of a TensorFlow wheel that the user has as a file. */
export async function unpackNamedWheel(
  wheel: string,
  folder: string,
  { onProgress, signal }: InstallContext,
): Promise<void> {
  const progress = { phase: 'unpack', message: 'libraries and headers' };
  const meter = new TransferMeter(progress, (await stat(wheel)).size, onProgress);
  await unpackWheel(meter.count(createReadStream(wheel)), folder, TENSORFLOW_FILES, signal);
}

async function readMetadata(folder: string): Promise<string> {
  const info = (await readdir(folder)).find(name => name.endsWith('.dist-info'));
  if (info === undefined) throw new SourceError('the TensorFlow wheel has no METADATA');
  return readFile(join(folder, info, 'METADATA'), 'utf8');
}
