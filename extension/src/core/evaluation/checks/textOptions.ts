// Options of checks that compare texts, under the names of lm-evaluation-harness's exact_match; by default every character counts.
import * as z from 'zod';
import { InputError } from '../../inputError.js';
import { about } from '../../../protocol/about.js';

export const textOptions = {
  ignore_case: z.boolean().default(false).meta(about('Ignore case', 'Compare in lower case')),
  ignore_whitespace: z
    .boolean()
    .default(false)
    .meta(
      about('Ignore white space', 'Compare with one space for any white space between words, and none around the text'),
    ),
  ignore_punctuation: z
    .boolean()
    .default(false)
    .meta(about('Ignore punctuation', 'Compare without the punctuation of ASCII, as lm-evaluation-harness does')),
};

export type TextOptions = { [Key in keyof typeof textOptions]: boolean };

/** Python's string.punctuation. */
const PUNCTUATION = /[!-/:-@[-`{-~]/g;

/** The text as it is compared. */
export function compared(text: string, options: TextOptions): string {
  let result = text;
  if (options.ignore_punctuation) result = result.replace(PUNCTUATION, '');
  if (options.ignore_case) result = result.toLowerCase();
  // After the punctuation, so that "a - b" equals "a b".
  if (options.ignore_whitespace) result = result.trim().replace(/\s+/g, ' ');
  return result;
}

/** A text to find in answers. @throws InputError if the options leave nothing of it, which every answer would contain */
export function searched(value: string, options: TextOptions): string {
  const text = compared(value, options);
  if (text !== '') return text;
  throw new InputError(`nothing is left of ${JSON.stringify(value)} that could be found in an answer`, {
    key: 'value',
    hint: 'Write a text, or leave out the options that ignore parts of it.',
  });
}
