// The error for wrong input: the command line prints it without a stack trace and exits with 2. All other errors are faults
// of the program or of the machine.
import type { EngineError } from '../protocol/engineError.js';
import { CodedError, type ErrorDetails } from './codedError.js';

export interface InputErrorDetails extends ErrorDetails {
  /** `bad_input` if nothing more specific applies */
  code?: EngineError['code'];
}

export class InputError extends CodedError {
  override readonly name = 'InputError';

  constructor(message: string, { code = 'bad_input', ...details }: InputErrorDetails = {}) {
    super(code, message, details);
  }
}

/** What `read` returns; null if the input is wrong. */
export function unlessWrong<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof InputError) return null;
    throw error;
  }
}
