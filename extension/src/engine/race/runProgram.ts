// Starts this program again, as a process of its own: a run or an evaluation of a race. Called by runRace.ts and suiteScores.ts.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

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
}

/** Environment variable of such a process: the process that started it. */
const RACE_PID = 'TUNEWRIGHT_RACE_PID';
const LOOK_EVERY_MS = 1000;

/**
 * In such a process: calls `stop` once the race has ended without it, as when it was killed.
 * @returns ends that
 */
export function onRaceEnd(stop: () => void): () => void {
  const race = Number(process.env[RACE_PID]);
  if (!race) return () => {};
  const looking = setInterval(() => {
    if (isParent(race)) return;
    clearInterval(looking);
    stop();
  }, LOOK_EVERY_MS);
  looking.unref();
  return () => clearInterval(looking);
}

/** A process gets another parent when its own has ended, except on Windows. */
function isParent(pid: number): boolean {
  if (process.platform !== 'win32') return process.ppid === pid;
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
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
  return new Promise((resolve, reject) => {
    // In a process group of its own: Ctrl-C in a terminal reaches the race alone, which decides what it means.
    const child = spawn(process.execPath, [...process.execArgv, process.argv[1]!, ...args], {
      stdio: ['ignore', onLine ? 'pipe' : 'ignore', 'inherit'],
      detached: process.platform !== 'win32',
      env: { ...process.env, [RACE_PID]: String(process.pid) },
    });
    const interrupt = () => void child.kill('SIGINT');
    for (const each of [signal, quit]) each.addEventListener('abort', interrupt);
    if (child.stdout && onLine) createInterface(child.stdout).on('line', onLine);
    child.on('error', reject);
    child.on('close', (code, by) => {
      for (const each of [signal, quit]) each.removeEventListener('abort', interrupt);
      resolve({ code, signal: by });
    });
  });
}
