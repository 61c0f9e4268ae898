// What the engine prints with --json --progress: lines of progress and warnings, and the answer last. Imports no vscode, so that tests can
// run what reads it.

import type { EngineError } from '../../protocol/engineError.js';
import type { EvaluationFailure } from '../../protocol/evaluationMessages.js';
import { EngineInputError } from '../services.js';

interface ProgressLine {
  type: 'progress';
  phase: string;
  done: number;
  total: number | null;
}

/** The answer has no type. */
export type EngineLine =
  ProgressLine | { type: 'warning'; message: string } | (Record<string, unknown> & { type?: undefined });

/** 0 to 1; null: unknown. */
export function shareOf({ done, total }: ProgressLine): number | null {
  return total ? done / total : null;
}

/** What a page says of an error of the engine. */
export function failureOf(error: Error): EvaluationFailure {
  return failureOfRecord(error instanceof EngineInputError ? error.record : { message: error.message });
}

export function failureOfRecord({ message, hint, file, line }: Omit<EngineError, 'code'>): EvaluationFailure {
  return { message, hint: hint ?? null, file: file ?? null, line: line ?? null };
}
