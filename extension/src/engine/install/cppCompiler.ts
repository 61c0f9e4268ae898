// Finds the C++ compiler by the usual names. Called by the addon's build and by `engine status`.
import { findExecutable, runCommand } from '../machine/runCommand.js';

/** Full path of a compiler that runs, or null. */
export async function findCppCompiler(signal?: AbortSignal): Promise<string | null> {
  for (const name of ['g++', 'clang++', 'c++']) {
    const compiler = findExecutable(name);
    // macOS has stubs of these names that fail until the command line tools are installed
    const version = compiler && (await runCommand(compiler, ['--version'], { signal }).catch(() => null));
    signal?.throwIfAborted();
    if (version) return compiler;
  }
  return null;
}
