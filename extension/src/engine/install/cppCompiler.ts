// Finds the C++ compiler by its usual names, and explains how to install one. Called by the installer, which needs it for the addon
// of a checkout, and by `engine status`.
import { findExecutable, runCommand } from '../machine/runCommand.js';
import { SourceError } from './sourceError.js';

const WHAT = 'a C++ compiler (g++ or clang++), to build the addon that connects Node to TensorFlow';

const COMMANDS = {
  'Debian, Ubuntu': 'sudo apt install g++',
  Fedora: 'sudo dnf install gcc-c++',
  macOS: 'xcode-select --install',
  Windows: 'wsl --install, then as for Ubuntu',
};

/** What the compiler is for, and the command to install it on each system. */
export const HOW_TO_GET_COMPILER = [
  `Install ${WHAT}:`,
  ...Object.entries(COMMANDS).map(([system, command]) => `    ${system.padEnd(15)} ${command}`),
].join('\n');

export function missingCompiler(): SourceError {
  return new SourceError(`missing: ${WHAT}`, { hint: HOW_TO_GET_COMPILER });
}

/** Full path of a working compiler, or null. */
export async function findCppCompiler(signal?: AbortSignal): Promise<string | null> {
  for (const name of ['g++', 'clang++', 'c++']) {
    const compiler = findExecutable(name);
    // macOS has stubs with these names that fail until the command line tools are installed.
    const version = compiler && (await runCommand(compiler, ['--version'], { signal }).catch(() => null));
    signal?.throwIfAborted();
    if (version) return compiler;
  }
  return null;
}
