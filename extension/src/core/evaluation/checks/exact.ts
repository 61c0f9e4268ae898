// The whole answer is a text.
import * as z from 'zod';
import { about } from '../../../protocol/about.js';
import { checkType, passedIf, quoted } from './check.js';
import { compared, textOptions } from './textOptions.js';

export const exact = checkType({
  type: 'exact',
  title: 'Exact',
  description: 'The answer is this text; white space around either doesn’t count',
  schema: z.strictObject({ value: z.string().meta(about('Value', 'The whole answer')), ...textOptions }),
  usesExpected: true,
  example: { options: { value: 'Paris' }, passes: ' Paris\n', fails: 'It is Paris.' },
  prepare({ value, ...options }) {
    const wanted = compared(value.trim(), options);
    return ({ text }) => passedIf(compared(text.trim(), options) === wanted, `it is not ${quoted(value)}`);
  },
});
