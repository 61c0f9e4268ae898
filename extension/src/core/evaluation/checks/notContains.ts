// The answer has a text nowhere.
import * as z from 'zod';
import { about } from '../../../protocol/about.js';
import { checkType, passedIf, quoted } from './check.js';
import { compared, searched, textOptions } from './textOptions.js';

export const notContains = checkType({
  type: 'not_contains',
  title: 'Doesn’t contain',
  description: 'The answer has this text nowhere',
  schema: z.strictObject({
    value: z.string().min(1).meta(about('Value', 'What must not be a part of the answer')),
    ...textOptions,
  }),
  example: { options: { value: 'As an AI' }, passes: 'It is Paris.', fails: 'As an AI, I think it is Paris.' },
  prepare({ value, ...options }) {
    const unwanted = searched(value, options);
    return ({ text }) => passedIf(!compared(text, options).includes(unwanted), `it contains ${quoted(value)}`);
  },
});
