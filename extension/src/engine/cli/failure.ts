// How a command ends that failed: words on standard error, with --json the same as data in the last line of standard
// output, and the exit code. Called by main.ts for everything that is thrown.
import { CommanderError } from 'commander';
import { describeError, errorRecord } from '../../core/codedError.js';
import { InputError } from '../../core/inputError.js';
import type { EngineError } from '../../protocol/engineError.js';

/** @returns the exit code: 0 where only help was asked for, 2 for bad usage or input, else 1 */
export function reportFailure(error: unknown): number {
  if (error instanceof CommanderError && error.exitCode === 0) return 0;
  const record = failureRecord(error);
  // commander has told already what is wrong with the command line.
  if (record.code !== 'bad_usage') console.error(wordsOf(record, error));
  if (process.argv.includes('--json')) process.stdout.write(`${JSON.stringify({ type: 'error', ...record })}\n`);
  return record.code === 'bad_usage' || error instanceof InputError ? 2 : 1;
}

export function failureRecord(error: unknown): EngineError {
  if (!(error instanceof CommanderError)) return errorRecord(error);
  const message = error.code === 'commander.help' ? 'a command is needed' : error.message.replace(/^error: /, '');
  return { code: 'bad_usage', message };
}

function wordsOf(record: EngineError, error: unknown): string {
  if (record.code === 'cancelled') return record.message;
  const words = `error: ${describeError(record)}`;
  if (record.code !== 'internal') return words;
  if (process.env['TUNEWRIGHT_DEBUG']) return `${words}\n${(error as Error).stack}`;
  return `${words}\n  TUNEWRIGHT_DEBUG=1 shows where it came from.`;
}
