// The error of a template: it can't be parsed, it fails on the values that it is given, or it rejects them itself. Thrown
// throughout this folder; renderChat makes an InputError of it.

export class TemplateError extends Error {
  /** @param line of the template, from 1; added on the way out where it isn't known */
  constructor(
    message: string,
    public line: number | null = null,
  ) {
    super(message);
    this.name = 'TemplateError';
  }
}
