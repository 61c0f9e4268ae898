// Second source of the library: the TensorFlow wheel of the Python package index. Keeps the two libraries and the headers in the
// layout of site-packages, which the libraries' run path requires to find NVIDIA's libraries.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { InstallContext } from './progress.js';
import { SourceError } from './sourceError.js';
import { wheelFetcher } from './wheelFetcher.js';
import { CUDA_FILES, cudaRequirements, TENSORFLOW_FILES, type WheelPlan } from './wheelPlan.js';

/**
 * Fills `folder` with `tensorflow/` (libraries, include/) and, with `gpu`, `nvidia/`.
 * @throws SourceError with a line for each failed way
 */
export async function provideFromWheel(
  folder: string,
  plan: WheelPlan,
  gpu: boolean,
  context: InstallContext,
): Promise<void> {
  const fetchWheel = wheelFetcher(plan, folder, context);
  await fetchWheel(plan.requirement, TENSORFLOW_FILES, plan.sha256);
  if (!gpu) return;
  for (const requirement of cudaRequirements(await readMetadata(folder))) await fetchWheel(requirement, CUDA_FILES);
}

async function readMetadata(folder: string): Promise<string> {
  const info = (await readdir(folder)).find(name => name.endsWith('.dist-info'));
  if (info === undefined) throw new SourceError('the TensorFlow wheel has no METADATA');
  return readFile(join(folder, info, 'METADATA'), 'utf8');
}
