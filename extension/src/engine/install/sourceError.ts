// What a source of the library answered where it could not give it: one line to list, and what its user can change. Thrown
// by the sources; installEngine goes on to the next one and makes the last message of all of them.

export class SourceError extends Error {
  /** What to change, as a sentence; '' where there is nothing. */
  readonly hint: string;
  /** Whether the same request may well succeed a moment later. */
  readonly transient: boolean;

  constructor(message: string, { hint = '', transient = false }: { hint?: string; transient?: boolean } = {}) {
    super(message);
    this.name = 'SourceError';
    this.hint = hint;
    this.transient = transient;
  }
}
