// Finds the C++ compiler by the usual names, and knows how to get one. Called by the installer, which a checkout's addon needs
// it for, and by `engine status`.
import { findExecutable, runCommand } from '../machine/runCommand.js';
import { SourceError } from './sourceError.js';

const WHAT = 'a C++ compiler (g++ or clang++), to build the addon that joins Node and TensorFlow';

const COMMANDS = {
  'Debian, Ubuntu': 'sudo apt install g++',
  Fedora: 'sudo dnf install gcc-c++',
  macOS: 'xcode-select --install',
  Windows: 'wsl --install, then as on Ubuntu',
};

/** What it is for, and the command that brings it on each system. */
export const howToGetCompiler = [
  `Get ${WHAT}:`,
  ...Object.entries(COMMANDS).map(([system, command]) => `    ${system.padEnd(15)} ${command}`),
].join('\n');

export function missingCompiler(): SourceError {
  return new SourceError(`missing: ${WHAT}`, { hint: howToGetCompiler });
}

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
