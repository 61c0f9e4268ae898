// The one error that means "your input is wrong": the command line prints it without a stack trace and exits with 2.
// Everything else that is thrown is a fault of ours or of the machine.

export interface InputErrorDetails {
  /** file, file:line, key of the run file, or tensor that the message is about */
  where?: string;
  /** what to change, as a sentence */
  hint?: string;
}

export class InputError extends Error {
  readonly where: string | undefined;
  readonly hint: string | undefined;

  constructor(message: string, { where, hint }: InputErrorDetails = {}) {
    super(message);
    this.name = 'InputError';
    this.where = where;
    this.hint = hint;
  }

  /** `where: message`, and the hint on a line of its own. */
  describe(): string {
    const head = this.where ? `${this.where}: ${this.message}` : this.message;
    return this.hint ? `${head}\n  ${this.hint}` : head;
  }
}
