// One call of the engine's command line: lines of standard output as they come, standard error as the reason of a
// failure. Called by the engine service only; a training run isn't a call, it outlives the window (runs/startProcess.ts).
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import * as vscode from 'vscode';
import { EngineFailure, EngineInputError } from '../services.js';
import { errorMessage } from './errorMessage.js';
import type { EngineProgram } from './engineProgram.js';

/** Exit code of the engine for bad usage or input. */
const INPUT_ERROR = 2;

/** What an interrupted engine gets to tidy up before it is killed. */
const GRACE_MS = 5_000;

/**
 * Resolves once the engine has ended well.
 * @throws EngineInputError, EngineFailure, vscode.CancellationError
 */
export function callEngine(
  { command, args: programArgs, env }: EngineProgram,
  args: readonly string[],
  cwd: string | undefined,
  onLine: (line: string) => void,
  token?: vscode.CancellationToken,
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (token?.isCancellationRequested) return reject(new vscode.CancellationError());
    const child = spawn(command, [...programArgs, ...args], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const cancelling = token?.onCancellationRequested(() => {
      child.kill('SIGINT');
      setTimeout(() => child.kill('SIGKILL'), GRACE_MS).unref();
    });
    let errors = '';
    child.stderr.setEncoding('utf8').on('data', text => (errors = (errors + text).slice(-16_384)));
    createInterface({ input: child.stdout, crlfDelay: Infinity }).on('line', onLine);
    child.on('error', error => {
      cancelling?.dispose();
      reject(new EngineFailure(`The engine could not be started with ${command}: ${error.message}`));
    });
    child.on('close', code => {
      cancelling?.dispose();
      if (token?.isCancellationRequested) return reject(new vscode.CancellationError());
      if (code === 0) return resolve();
      const message = errorMessage(errors);
      reject(code === INPUT_ERROR ? new EngineInputError(message) : new EngineFailure(message));
    });
  });
}
