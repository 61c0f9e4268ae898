// Metrics of a generated answer against the expected one, under the names of Hugging Face's `evaluate`. A metric of a dataset is the
// mean over its rows. Called by `evaluate --dataset --metrics`. Pure.
import { rougeL, rougeN, rougeWords } from './rouge.js';

export interface TextMetric {
  readonly name: string;
  /** Whether it sees words of a-z and 0-9 only, and is 0 for an expected text without one. */
  readonly latinWords: boolean;
  /** 0 to 1 */
  of(answer: string, expected: string): number;
}

type Words = readonly string[];

const rouge = (name: string, of: (words: Words, expected: Words) => number): TextMetric => ({
  name,
  latinWords: true,
  of: (answer, expected) => of(rougeWords(answer), rougeWords(expected)),
});

export const textMetrics: readonly TextMetric[] = [
  rouge('rouge1', (words, expected) => rougeN(words, expected, 1)),
  rouge('rouge2', (words, expected) => rougeN(words, expected, 2)),
  rouge('rougeL', rougeL),
  // White space around the texts doesn't count, as in suites.
  { name: 'exact_match', latinWords: false, of: (answer, expected) => (answer.trim() === expected.trim() ? 1 : 0) },
];
