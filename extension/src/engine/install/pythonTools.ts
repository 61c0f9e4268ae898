// Finds other programs that can download from the Python package index: a Python 3 with pip (any version), or uv. Called by
// wheelFetcher.ts. Never installs Python packages.
import { findExecutable, runCommand } from '../machine/runCommand.js';

/** Full path of a Python 3 with pip, or null. */
export async function findPythonWithPip(signal?: AbortSignal): Promise<string | null> {
  for (const name of ['python3', 'python']) {
    const python = findExecutable(name);
    if (python === null) continue;
    const version = await runCommand(python, ['-m', 'pip', '--version'], { signal }).catch(() => '');
    signal?.throwIfAborted();
    if (/\(python 3\.\d+\)/.test(version)) return python;
  }
  return null;
}

export function findUv(): string | null {
  return findExecutable('uv');
}
