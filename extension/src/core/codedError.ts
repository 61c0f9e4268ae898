// Errors with a code that programs can act on, and the conversion of any error to a record (protocol/engineError.ts) or to text.
// Pure: the engine writes the record, the host reads it back.
import type { EngineError } from '../protocol/engineError.js';

/** Where an error occurred, as far as it is known. */
export type Place = Pick<EngineError, 'file' | 'line' | 'column' | 'key'>;

export interface ErrorDetails extends Place {
  /** what to change, as a sentence */
  hint?: string;
}

export class CodedError extends Error {
  constructor(
    readonly code: EngineError['code'],
    message: string,
    private readonly details: ErrorDetails = {},
  ) {
    super(message);
  }

  get hint(): string | undefined {
    return this.details.hint;
  }

  /** `file:line:column: key`, as far as they are known; may be empty. */
  get where(): string {
    return describePlace(this.details);
  }

  record(): EngineError {
    return { code: this.code, message: this.message, ...this.details };
  }

  /** `where: message`, and the hint on its own line. */
  describe(): string {
    return describeError(this.record());
  }
}

/** The caller cancelled the operation; not shown as an error. */
export class CancelledError extends CodedError {
  override readonly name = 'CancelledError';
  constructor(message = 'cancelled') {
    super('cancelled', message);
  }
}

/** Errors that are neither coded nor an abort become `internal`, with their message only. */
export function errorRecord(error: unknown): EngineError {
  if (error instanceof CodedError) return error.record();
  const { name, message } = error as Error;
  return { code: name === 'AbortError' ? 'cancelled' : 'internal', message };
}

export function describeError({ message, hint, ...place }: Omit<EngineError, 'code'>): string {
  const where = describePlace(place);
  const head = where ? `${where}: ${message}` : message;
  // Notifications and pages show it on one line, where two sentences need a full stop between them.
  return hint ? `${head}${/[.!?:]$/.test(head) ? '' : '.'}\n  ${hint}` : head;
}

export function describePlace({ file, line, column, key }: Place): string {
  const inFile = file && [file, line, column].filter(part => part !== undefined).join(':');
  return [inFile, key].filter(part => part !== undefined).join(': ');
}
