// A regular expression matches somewhere in the answer.
import * as z from 'zod';
import { about } from '../../../protocol/about.js';
import { InputError } from '../../inputError.js';
import { checkType, passedIf, quoted } from './check.js';
import { linearRegExp } from './linearRegExp.js';
import { textOptions } from './textOptions.js';

export const regex = checkType({
  type: 'regex',
  title: 'Regular expression',
  description:
    'The expression matches somewhere in the answer without white space around it; ^ and $ are its ends, or those of lines after (?m). RE2’s syntax, where \\d, \\w and \\b know ASCII only',
  schema: z.strictObject({
    value: z.string().min(1).meta(about('Value', 'Regular expression in RE2’s syntax')),
    ignore_case: textOptions.ignore_case,
  }),
  example: { options: { value: '^Arr\\b.*[.!]$' }, passes: 'Arr, matey!', fails: 'Well, matey!' },
  prepare({ value, ignore_case: ignoreCase }) {
    const expression = compile(value, ignoreCase);
    return ({ text }) => passedIf(expression.test(text.trim()), `${quoted(value)} matches nowhere`);
  },
});

function compile(value: string, ignoreCase: boolean) {
  try {
    return linearRegExp(value, { ignoreCase });
  } catch (error) {
    if (error instanceof InputError) throw new InputError(error.message, { key: 'value', hint: error.hint });
    throw error;
  }
}
