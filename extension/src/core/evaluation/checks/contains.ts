// The answer has a text somewhere.
import * as z from 'zod';
import { about } from '../../../protocol/about.js';
import { checkType, passedIf, quoted } from './check.js';
import { compared, searched, textOptions } from './textOptions.js';

export const contains = checkType({
  type: 'contains',
  title: 'Contains',
  description: 'The answer has this text somewhere',
  schema: z.strictObject({ value: z.string().min(1).meta(about('Value', 'A part of the answer')), ...textOptions }),
  usesExpected: true,
  example: { options: { value: 'Paris' }, passes: 'It is Paris.', fails: 'It is Rome.' },
  prepare({ value, ...options }) {
    const wanted = searched(value, options);
    return ({ text }) => passedIf(compared(text, options).includes(wanted), `it doesn’t contain ${quoted(value)}`);
  },
});
