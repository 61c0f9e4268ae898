// Runs other programs (pip, uv, a C++ compiler, tar) for the installer: found on PATH, run without a shell, stopped by an
// AbortSignal. Errors contain the last lines of the program's output. Never prints.
import { spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { withoutLogins } from '../../core/withoutLogins.js';

/** A program exited with a code other than 0; the message ends with its last lines of output, without the logins in their addresses. */
export class CommandFailedError extends Error {
  constructor(command: string, code: number | string | null, output: string[]) {
    super([`${command} failed (${code})`, ...output.slice(-6).map(withoutLogins)].join('\n    '));
    this.name = 'CommandFailedError';
  }
}

export interface RunOptions {
  cwd?: string;
  /** Added to the environment of this process. */
  env?: Record<string, string>;
  signal?: AbortSignal;
  /** Called for each line of standard output. */
  onLine?: (line: string) => void;
}

/** Full path of a program on PATH, or null. */
export function findExecutable(name: string): string | null {
  const suffixes = process.platform === 'win32' ? ['.exe', '.cmd', ''] : [''];
  for (const folder of (process.env.PATH ?? '').split(delimiter).filter(Boolean)) {
    for (const suffix of suffixes) {
      const file = join(folder, name + suffix);
      try {
        accessSync(file, constants.X_OK);
        if (statSync(file).isFile()) return file;
      } catch {
        // Not in this folder.
      }
    }
  }
  return null;
}

/**
 * Runs a program to its end and returns its standard output.
 * @throws CommandFailedError if it exits with a code other than 0; AbortError if the signal stopped it
 */
export function runCommand(command: string, args: string[], options: RunOptions = {}): Promise<string> {
  const { cwd, env, signal, onLine } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      signal,
      stdio: ['ignore', 'pipe', 'pipe'],
      windowsHide: true,
    });
    const output: string[] = [];
    const errors: string[] = [];
    createInterface(child.stdout).on('line', line => {
      output.push(line);
      onLine?.(line);
    });
    createInterface(child.stderr).on('line', line => errors.push(line));
    child.on('error', reject);
    child.on('close', (code, killedBy) => {
      if (signal?.aborted) reject(signal.reason);
      else if (code === 0) resolve(output.join('\n'));
      else reject(new CommandFailedError(command, code ?? killedBy, errors.length > 0 ? errors : output));
    });
  });
}
