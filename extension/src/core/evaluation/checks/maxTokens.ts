// The answer is short enough.
import * as z from 'zod';
import { about } from '../../../protocol/about.js';
import { checkType, passedIf } from './check.js';

export const maxTokens = checkType({
  type: 'max_tokens',
  title: 'Max tokens',
  description: 'The answer, with its reasoning, has no more tokens than this',
  schema: z.strictObject({ value: z.int().positive().meta(about('Value', 'Most tokens that pass')) }),
  example: {
    options: { value: 20 },
    passes: { text: 'Paris.', toolCalls: [], tokens: 3 },
    fails: { text: 'Paris, which is the capital of France.', toolCalls: [], tokens: 21 },
  },
  prepare({ value }) {
    return ({ tokens }) => passedIf(tokens <= value, `it has ${tokens} tokens, more than ${value}`);
  },
});
