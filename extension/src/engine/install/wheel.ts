// Second source of the library: the TensorFlow wheel of the Python package index, by Node itself, else by pip or uv. Keeps
// the two libraries and the headers, in the layout of site-packages: the libraries' own run path finds NVIDIA's beside them
// in that layout alone. A wheel is unpacked in a staging folder, and moved from there when it is whole.
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { InputError } from '../../core/inputError.js';
import type { InstallContext } from './progress.js';
import { wheelsByPip, wheelsByUv } from './pythonDownload.js';
import { findPythonWithPip, findUv } from './pythonTools.js';
import { SourceError } from './sourceError.js';
import { TransferMeter } from './transferMeter.js';
import { unpackWheel } from './wheelArchive.js';
import { wheelsByNode } from './wheelDownload.js';
import { CUDA_FILES, cudaRequirements, TENSORFLOW_FILES, type WheelPlan, type WheelWay } from './wheelPlan.js';

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
  const fetchWheel = wheelFetcher(waysToWheels(plan, context), folder, context);
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

async function* waysToWheels(plan: WheelPlan, context: InstallContext): AsyncGenerator<WheelWay, undefined> {
  yield wheelsByNode(plan, context);
  const python = await findPythonWithPip(context.signal);
  if (python !== null) yield wheelsByPip(python, plan, context);
  const uv = findUv();
  if (uv !== null) yield wheelsByUv(uv, plan, context);
}

/** Fetches wheels by the first way; from where that fails on, by the next. */
function wheelFetcher(
  ways: AsyncGenerator<WheelWay, undefined>,
  folder: string,
  { onProgress, signal }: InstallContext,
): (requirement: string, files: string) => Promise<void> {
  const failures: string[] = [];
  let hint = '';
  let way: WheelWay | undefined;
  return async (requirement, files) => {
    for (;;) {
      way ??= (await ways.next()).value;
      if (way === undefined) throw new SourceError(failures.join('\n  - '), { hint });
      const { name, fetch } = way;
      if (failures.length > 0)
        onProgress({ phase: 'download', done: 0, total: null, message: `${failures.at(-1)}; trying ${name}` });
      const staging = await mkdtemp(join(folder, '.staging-'));
      try {
        await fetch(requirement, files, staging);
        return await moveMatching(staging, folder, files);
      } catch (error) {
        if (signal?.aborted || error instanceof InputError) throw error;
        failures.push(`${requirement} by ${name}: ${(error as Error).message}`);
        if (error instanceof SourceError) hint ||= error.hint;
        way = undefined;
      } finally {
        await rm(staging, { recursive: true, force: true });
      }
    }
  };
}

async function moveMatching(from: string, to: string, files: string): Promise<void> {
  const pattern = new RegExp(files);
  for (const entry of await readdir(from, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name).slice(from.length + 1);
    if (!entry.isFile() || !pattern.test(path)) continue;
    await mkdir(dirname(join(to, path)), { recursive: true });
    await rename(join(from, path), join(to, path));
  }
}

async function readMetadata(folder: string): Promise<string> {
  const info = (await readdir(folder)).find(name => name.endsWith('.dist-info'));
  if (info === undefined) throw new SourceError('the TensorFlow wheel has no METADATA');
  return readFile(join(folder, info, 'METADATA'), 'utf8');
}
