// Starts the engine on a run folder or a race folder as a separate process: detached, at low priority, with its output in engine.log.
// It outlives this window; from then on it is followed and controlled through the folder only.
import type { ChildProcess } from 'node:child_process';
import { closeSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import type { EngineProgram } from '../engineProcess/engineProgram.js';
import { EngineFailure } from '../services.js';
import { trusted } from '../trustedActions.js';
import { runFolderFiles } from './runFolderFiles.js';

/**
 * Resolves with the process once it has started; calls `onExit` if it ends while this window is open.
 * @throws EngineFailure if it can't be started, UntrustedWorkspaceError
 */
export async function startInFolder(
  { command, args, env }: EngineProgram,
  subcommand: 'train' | 'race',
  file: string,
  folder: string,
  flags: readonly string[],
  onExit: (code: number | null, signal: NodeJS.Signals | null) => void,
): Promise<ChildProcess> {
  const { descriptor: log } = trusted.openLog(runFolderFiles(folder).log);
  const own = [subcommand, file, '--out', folder, ...flags];
  const child = trusted.spawn(command, [...args, ...own], {
    ...{ cwd: folder, env, detached: true },
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', error => reject(new EngineFailure(`${command} could not be started: ${error.message}`)));
  });
  try {
    setPriority(child.pid!, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // Training works at normal priority, too.
  }
  child.once('exit', onExit);
  child.unref();
  return child;
}
