// The whole answer is one of some texts.
import * as z from 'zod';
import { about } from '../../../protocol/about.js';
import { checkType, passedIf, quoted } from './check.js';
import { compared, textOptions } from './textOptions.js';

export const oneOf = checkType({
  type: 'one_of',
  title: 'One of',
  description: 'The answer is one of these texts; white space around it doesn’t count',
  schema: z.strictObject({
    values: z.array(z.string()).min(1).meta(about('Values', 'The answers that pass')),
    ...textOptions,
  }),
  example: { options: { values: ['yes', 'Yes.'] }, passes: 'Yes.', fails: 'Yes, it is.' },
  prepare({ values, ...options }) {
    const wanted = new Set(values.map(value => compared(value.trim(), options)));
    const reason = `it is none of ${values.map(quoted).join(', ')}`;
    return ({ text }) => passedIf(wanted.has(compared(text.trim(), options)), reason);
  },
});
