// Starts the engine on a run folder as a separate process: detached, at low priority, with its output in engine.log. It
// outlives this window; from then on it is followed and controlled through the folder only.
import { spawn } from 'node:child_process';
import { closeSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import type { EngineProgram } from '../engineProcess/engineProgram.js';
import { EngineFailure } from '../services.js';
import { runFolderFiles } from './runFolderFiles.js';

/**
 * Resolves once the process has started; calls `onExit` if it ends while this window is open.
 * @throws EngineFailure if it can't be started
 */
export async function startTraining(
  { command, args, env }: EngineProgram,
  folder: string,
  resume: boolean,
  onExit: (code: number | null) => void,
): Promise<void> {
  const files = runFolderFiles(folder);
  const log = openSync(files.log, 'a');
  const train = ['train', files.run, '--out', folder, ...(resume ? ['--resume'] : [])];
  const child = spawn(command, [...args, ...train], { cwd: folder, env, detached: true, stdio: ['ignore', log, log] });
  closeSync(log);
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', error => reject(new EngineFailure(`${command} could not be started: ${error.message}`)));
  });
  const pid = child.pid!;
  try {
    setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // Training works at normal priority, too.
  }
  // The engine writes this file as well; until then, this one shows all windows that the run is alive.
  writeFileSync(files.process, `${JSON.stringify({ pid, started: new Date().toISOString() })}\n`);
  child.once('exit', code => {
    rmSync(files.process, { force: true });
    onExit(code);
  });
  child.unref();
}
