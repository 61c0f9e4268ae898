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

/**
 * A file that is not the one whose hash this program has.
 * @param origin its address or the program that downloaded it
 * @param instead a sentence about what else can be installed; may be empty
 */
export function notTheRelease(
  file: string,
  origin: string,
  instead = 'A build of your own can be installed: tunewright engine install --library PATH.',
): SourceError {
  return new SourceError(`${file} from ${origin} is not the file that was released: its hash differs`, {
    hint: `A proxy or a mirror may be modifying downloads. ${instead}`.trimEnd(),
  });
}
