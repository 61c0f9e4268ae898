// Reports the failure of a command: text on standard error, with --json also an error record as the last line of standard output,
// and the exit code. Called by main.ts for every error, and at signals.
import { constants } from 'node:os';
import { CommanderError } from 'commander';
import { CancelledError, describeError, errorRecord } from '../../core/codedError.js';
import { InputError } from '../../core/inputError.js';
import type { EngineError } from '../../protocol/engineError.js';
import { isHangupIgnored } from '../machine/hangup.js';
import { printJson, printNote } from './print.js';

/** @returns the exit code */
export function reportFailure(error: unknown): number {
  const exitCode = exitCodeOf(error);
  if (exitCode === 0) return exitCode;
  const record = failureRecord(error);
  // commander has already printed what is wrong with the command line.
  if (record.code !== 'bad_usage') printNote(textOf(record, error));
  if (process.argv.includes('--json')) printJson({ type: 'error', ...record });
  return exitCode;
}

/** 0 for --help and --version, 2 for bad usage or input, that of the signal that stopped the command, else 1. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (stoppedBy && errorRecord(error).code === 'cancelled') return codeOfSignal(stoppedBy);
  return error instanceof InputError ? 2 : 1;
}

/** As a shell reports the end by a signal. */
function codeOfSignal(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}

/** The signal that has asked the command to stop. */
let stoppedBy: NodeJS.Signals | null = null;

const isDeafToHangup = isHangupIgnored();
const STOPPING: readonly NodeJS.Signals[] = isDeafToHangup ? ['SIGINT', 'SIGTERM'] : ['SIGINT', 'SIGTERM', 'SIGHUP'];

/**
 * For a command with its own way to stop: calls `stop` at Ctrl-C, SIGTERM and SIGHUP, and `again` at the next ones. What the command
 * then throws (CancelledError) ends the program with the exit code of the signal.
 * @param again by default, ends the program at once. SIGHUP is never a second wish: a closing terminal sends it twice, a machine that
 *   is shut down sends it along with SIGTERM, in any order
 * @returns ends it
 */
export function onInterruption(stop: () => void, again = endNow): () => void {
  let wishes = 0;
  const interrupt = (signal: NodeJS.Signals) => {
    const isFirst = stoppedBy === null;
    stoppedBy ??= signal;
    if (signal !== 'SIGHUP') wishes++;
    if (isFirst) stop();
    else if (signal !== 'SIGHUP' && wishes > 1) again();
  };
  for (const signal of STOPPING) process.on(signal, interrupt);
  return () => {
    for (const signal of STOPPING) process.off(signal, interrupt);
  };
}

/** Aborts the work at Ctrl-C, SIGTERM or SIGHUP. */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const stop = new AbortController();
  const settled = onInterruption(() => stop.abort());
  try {
    return await work(stop.signal);
  } finally {
    settled();
  }
}

function endNow(): void {
  process.exit(reportFailure(new CancelledError('Stopped.')));
}

/**
 * Ends the program at Ctrl-C, SIGTERM or SIGHUP as every other failure does, so that a program that reads the output knows why it
 * ends. A command with its own way to stop, such as `train`, is left to it. Without --json the signal ends the program by itself.
 */
export function reportInterruptions(): void {
  if (isDeafToHangup) process.on('SIGHUP', () => {});
  if (!process.argv.includes('--json')) return;
  for (const signal of STOPPING)
    process.on(signal, () => {
      if (process.listenerCount(signal) > 1) return;
      stoppedBy = signal;
      endNow();
    });
}

export function failureRecord(error: unknown): EngineError {
  if (!(error instanceof CommanderError)) return errorRecord(error);
  const message = error.code === 'commander.help' ? 'a command is required' : error.message.replace(/^error: /, '');
  return { code: 'bad_usage', message };
}

function textOf(record: EngineError, error: unknown): string {
  if (record.code === 'cancelled') return record.message;
  const text = `error: ${describeError(record)}`;
  if (record.code !== 'internal') return text;
  if (process.env['TUNEWRIGHT_DEBUG']) return `${text}\n${(error as Error).stack}`;
  return `${text}\n  Set TUNEWRIGHT_DEBUG=1 to see the stack trace.`;
}
