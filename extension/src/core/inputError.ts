// The one error that means "your input is wrong": the command line prints it without a stack trace and exits with 2.
// Everything else that is thrown is a fault of ours or of the machine.
import type { EngineError } from '../protocol/engineError.js';
import { CodedError, type ErrorDetails } from './codedError.js';

export interface InputErrorDetails extends ErrorDetails {
  /** `bad_input` where nothing closer is known */
  code?: EngineError['code'];
}

export class InputError extends CodedError {
  override readonly name = 'InputError';

  constructor(message: string, { code = 'bad_input', ...details }: InputErrorDetails = {}) {
    super(code, message, details);
  }
}
