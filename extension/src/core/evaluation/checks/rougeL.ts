// The answer has much in common with a text; its score is how much.
import * as z from 'zod';
import { about } from '../../../protocol/about.js';
import { InputError } from '../../inputError.js';
import { rougeL, rougeWords } from '../rouge.js';
import { checkType } from './check.js';

export const rougeLCheck = checkType({
  type: 'rouge_l',
  title: 'ROUGE-L',
  description:
    'ROUGE-L F1 with this text, as by Google’s rouge_score without stemmer, is high enough; it knows words of a-z and 0-9 only. The F1 is the score',
  schema: z.strictObject({
    value: z.string().min(1).meta(about('Value', 'What the answer should be like')),
    at_least: z.number().min(0).max(1).default(0.5).meta(about('At least', 'Lowest F1 that passes, 0 to 1')),
  }),
  usesExpected: true,
  example: {
    options: { value: 'The capital of France is Paris.', at_least: 0.8 },
    passes: 'the capital of France: Paris',
    fails: 'I like the sea.',
  },
  prepare({ value, at_least: atLeast }) {
    const expected = rougeWords(value);
    if (expected.length === 0)
      throw new InputError(`ROUGE finds no word in ${JSON.stringify(value)}`, {
        key: 'value',
        hint: 'It knows words of a-z and 0-9 only; use another check for other scripts.',
      });
    return ({ text }) => {
      const score = rougeL(rougeWords(text), expected);
      const passed = score >= atLeast;
      return { passed, score, ...(!passed && { reason: `its ROUGE-L ${score.toFixed(3)} is below ${atLeast}` }) };
    };
  },
});
