// Converts the engine's error records to the errors that the host throws. Called for the command line and for the
// resident engine. Imports no vscode, so that tests and pages can use it.
import { describeError } from '../../core/codedError.js';
import { errorLineSchema, type EngineError } from '../../protocol/engineError.js';
import { EngineFailure, EngineInputError } from '../services.js';

/** Codes of errors that other input would not avoid. */
const FAILURES: readonly EngineError['code'][] = [
  'internal',
  'unreachable',
  'server_failed',
  'diverged',
  'export_differs',
  'cancelled',
];

export function engineErrorOf(record: EngineError): EngineInputError | EngineFailure {
  return FAILURES.includes(record.code) ? new EngineFailure(describeError(record)) : new EngineInputError(record);
}

/** The error record in a line of standard output; null if the line is something else. */
export function errorLineOf(line: string): EngineError | null {
  try {
    return errorLineSchema.parse(JSON.parse(line));
  } catch {
    return null;
  }
}

/** The last output of a program that ended without an error record; for users only. */
export function lastWords(output: string): string {
  return output.trimEnd().split('\n').slice(-3).join('\n') || 'The engine ended without an error message.';
}
