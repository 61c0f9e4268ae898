// Starts this program again, as a process of its own: a run or an evaluation of a race. Called by runRace.ts and suiteScores.ts.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { endingWithThis } from '../../system/endWithParent.js';
import { oomKills, oomKillsSince } from '../../system/oomKills.js';

export interface Interruption {
  /** If aborted, the process is asked to end. */
  signal: AbortSignal;
  /** If aborted after that, it ends at once. */
  quit: AbortSignal;
}

export interface ProgramEnd {
  /** null if a signal ended it. */
  code: number | null;
  signal: NodeJS.Signals | null;
  /** Processes that the operating system killed for memory in the meantime; null: it doesn't say. */
  oomKills: number | null;
}

/**
 * Its standard error is that of this process.
 * @param onLine gets the lines of standard output; null: it is not read
 */
export function runProgram(
  args: readonly string[],
  { signal, quit }: Interruption,
  onLine: ((line: string) => void) | null,
): Promise<ProgramEnd> {
  const oomKillsBefore = oomKills();
  return new Promise((resolve, reject) => {
    // In a process group of its own: Ctrl-C in a terminal reaches the race alone, which decides what it means.
    const child = spawn(process.execPath, [...process.execArgv, process.argv[1]!, ...args], {
      stdio: ['ignore', onLine ? 'pipe' : 'ignore', 'inherit'],
      detached: process.platform !== 'win32',
      env: { ...process.env, ...endingWithThis() },
    });
    const interrupt = () => void child.kill('SIGINT');
    for (const each of [signal, quit]) each.addEventListener('abort', interrupt);
    if (child.stdout && onLine) createInterface(child.stdout).on('line', onLine);
    child.on('error', reject);
    child.on('close', (code, by) => {
      for (const each of [signal, quit]) each.removeEventListener('abort', interrupt);
      resolve({ code, signal: by, oomKills: oomKillsSince(oomKillsBefore) });
    });
  });
}
