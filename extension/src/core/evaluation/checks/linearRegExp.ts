// Regular expressions that take a time linear in the text, whatever they are: RE2's engine, which never backtracks. A time limit
// would make the verdict depend on the machine. Used by checks, whose patterns come from files of others.
import { RE2JS, RE2JSException } from 're2js';
import { InputError } from '../../inputError.js';
import { quoted } from './check.js';

/** @throws InputError for a pattern that RE2 can't read */
export function linearRegExp(pattern: string, { ignoreCase = false } = {}): { test(text: string): boolean } {
  try {
    const compiled = RE2JS.compile(pattern, ignoreCase ? RE2JS.CASE_INSENSITIVE : 0);
    return { test: text => compiled.matcher(text).find() };
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    // What follows the colon is a part of the pattern.
    const reason = error.message.replace(/^error parsing regexp: /, '').slice(0, 100);
    throw new InputError(`the regular expression ${quoted(pattern)} can't be used: ${reason}`, {
      hint: 'The syntax is RE2’s: no look-ahead or look-behind, no back-references, repeat counts up to 1000.',
    });
  }
}
