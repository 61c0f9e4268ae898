// From the engine's error record to the error that the host throws. Called wherever the engine answers: by its command line
// and by the resident engine. No vscode, so that tests and pages can use it.
import { describeError } from '../../core/codedError.js';
import { errorLineSchema, type EngineError } from '../../protocol/engineError.js';
import { EngineFailure, EngineInputError } from '../services.js';

/** Codes of what no change of the input would help. */
const FAILURES: readonly EngineError['code'][] = ['internal', 'diverged', 'cancelled'];

export function engineErrorOf(record: EngineError): EngineInputError | EngineFailure {
  return FAILURES.includes(record.code) ? new EngineFailure(describeError(record)) : new EngineInputError(record);
}

/** The record in a line of standard output, null where it is another line. */
export function errorLineOf(line: string): EngineError | null {
  try {
    return errorLineSchema.parse(JSON.parse(line));
  } catch {
    return null;
  }
}

/** What a program that ended without an error record said last; for people only. */
export function lastWords(output: string): string {
  return output.trimEnd().split('\n').slice(-3).join('\n') || 'The engine ended without saying why.';
}
