// Why a source could not provide the library: a one-line message, and a hint for the user. Thrown by the sources; installEngine
// then tries the next one, and lists all of them if none works.

export class SourceError extends Error {
  /** What to change, as a sentence; '' if there is nothing. */
  readonly hint: string;
  /** Whether the same request may succeed if repeated. */
  readonly transient: boolean;

  constructor(message: string, { hint = '', transient = false }: { hint?: string; transient?: boolean } = {}) {
    super(message);
    this.name = 'SourceError';
    this.hint = hint;
    this.transient = transient;
  }
}
