// One call of the engine's command line with --json: passes on the lines of standard output, and turns the last one of
// a failed call into its error. Called by the engine service only; training runs outlive the window, see
// runs/startProcess.ts.
import { createInterface } from 'node:readline';
import * as vscode from 'vscode';
import type { EngineError } from '../../protocol/engineError.js';
import { EngineFailure } from '../services.js';
import { trusted } from '../trustedActions.js';
import { engineErrorOf, errorLineOf, lastWords } from './engineErrors.js';
import type { EngineProgram } from './engineProgram.js';

/** Time for an interrupted engine to clean up before it is killed. */
const GRACE_MS = 5_000;

/**
 * Resolves once the engine has ended successfully.
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
    const child = trusted.spawnReading(command, [...programArgs, ...args], { cwd, env });
    const cancelling = token?.onCancellationRequested(() => {
      child.kill('SIGINT');
      setTimeout(() => child.kill('SIGKILL'), GRACE_MS).unref();
    });
    let words = '';
    let record: EngineError | null = null;
    child.stderr.setEncoding('utf8').on('data', text => (words = (words + text).slice(-16_384)));
    createInterface({ input: child.stdout, crlfDelay: Infinity }).on('line', line => {
      record = errorLineOf(line);
      if (!record) onLine(line);
    });
    child.on('error', error => {
      cancelling?.dispose();
      reject(new EngineFailure(`The engine could not be started with ${command}: ${error.message}`));
    });
    child.on('close', code => {
      cancelling?.dispose();
      if (token?.isCancellationRequested) return reject(new vscode.CancellationError());
      if (code === 0) return resolve();
      reject(record ? engineErrorOf(record) : new EngineFailure(lastWords(words)));
    });
  });
}
