// A number of the answer is near the wanted one. Which characters are a number is said here only.
import * as z from 'zod';
import { about } from '../../../protocol/about.js';
import { InputError } from '../../inputError.js';
import { checkType, passedIf } from './check.js';

export const number = checkType({
  type: 'number',
  title: 'Number',
  description:
    'The last number of the answer (or the first, or the only one) is this one within the tolerance. Numbers may have a sign, a currency sign, commas between thousands, a decimal point and an exponent; digits within a word, such as B12, are none',
  schema: z.strictObject({
    value: z.union([z.number(), z.string()]).meta(about('Value', 'The number, or a text whose last number is meant')),
    tolerance: z.number().nonnegative().default(0).meta(about('Tolerance', 'Largest difference that passes')),
    relative_tolerance: z
      .number()
      .nonnegative()
      .default(0)
      .meta(about('Relative tolerance', 'The same as a share of the value (0.01 = 1%); the larger of both counts')),
    take: z
      .enum(['last', 'first', 'only'])
      .default('last')
      .meta(about('Take', 'Which number of the answer counts; only: it must have one and no more')),
  }),
  usesExpected: true,
  example: { options: { value: 1250, tolerance: 0.5 }, passes: 'That makes $1,250.25.', fails: 'That makes 125.' },
  prepare({ value, tolerance, relative_tolerance: relative, take }) {
    const wanted = typeof value === 'number' ? value : numbersOf(value).at(-1);
    if (wanted === undefined)
      throw new InputError(`there is no number in ${JSON.stringify(value)}`, {
        key: 'value',
        hint: 'Write a number, such as 42 or -1.5.',
      });
    const allowed = Math.max(tolerance, relative * Math.abs(wanted));
    return ({ text }) => {
      const found = numbersOf(text);
      if (take === 'only' && found.length !== 1)
        return passedIf(false, found.length === 0 ? 'it has no number' : `it has ${found.length} numbers`);
      const taken = take === 'first' ? found[0] : found.at(-1);
      if (taken === undefined) return passedIf(false, 'it has no number');
      // Decimal fractions are rounded in binary: 1.1 - 1.0 is a little more than 0.1.
      const rounding = 4 * Number.EPSILON * Math.max(Math.abs(taken), Math.abs(wanted));
      const difference = Math.abs(taken - wanted);
      return passedIf(
        taken === wanted || difference <= allowed + (allowed > 0 ? rounding : 0),
        `its number ${taken} differs from ${wanted} by more than ${allowed}`,
      );
    };
  },
});

/** Digits with commas between thousands. Not tried again at the next group, which would take a time quadratic in their number. */
const THOUSANDS = /(?<!(?<![\p{L}\p{N}_.])\d{1,3},(?=\d{3}(?!\d)))\d{1,3}(?:,\d{3})+(?!,?\d)/u;
/** Digits of a number: not within a word, and not the end of one with two points, as in 1.2.3. */
const DIGITS = new RegExp(
  `(?:(?<![\\p{L}\\p{N}_]|\\d\\.)(?:${THOUSANDS.source}|\\d+)(?:\\.\\d+)?|(?<![\\p{L}\\p{N}_.])\\.\\d+)(?:e[-+]?\\d+)?`,
  'giu',
);
/** A minus directly after a word, a number or a bracket is subtraction or a hyphen. */
const NEGATIVE = /(?:^|[^\p{L}\p{N}_)])(?:[-\u2212][$€£¥]?|[$€£¥][-\u2212])$/u;

/** The finite numbers of a text in their order. */
export function numbersOf(text: string): number[] {
  return [...text.matchAll(DIGITS)]
    .map(({ 0: digits, index }) => {
      const value = Number(digits.replaceAll(',', ''));
      return NEGATIVE.test(text.slice(Math.max(0, index - 4), index)) ? -value : value;
    })
    .filter(Number.isFinite);
}
