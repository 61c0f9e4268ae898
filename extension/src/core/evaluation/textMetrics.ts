// Metrics of a generated answer against the expected one, under the names of Hugging Face's `evaluate`. A metric of a dataset is the
// mean over its rows. Called by `evaluate --dataset --metrics` and during the evaluations of a run. Pure.
import type { MetricInfo } from '../../protocol/engineEvent.js';
import type { TextMetricName } from '../../protocol/runConfig.js';
import { rougeL, rougeN, rougeWords } from './rouge.js';

export interface TextMetric extends MetricInfo {
  readonly name: TextMetricName;
  /** Whether it sees words of a-z and 0-9 only, and is 0 for an expected text without one. */
  readonly latinWords: boolean;
  /** 0 to 1 */
  of(answer: string, expected: string): number;
}

type Words = readonly string[];

const SHARE = { better: 'higher', unit: 'share', follows_loss: false } as const;

const rouge = (name: TextMetricName, title: string, of: (words: Words, expected: Words) => number): TextMetric => ({
  name,
  title,
  ...SHARE,
  latinWords: true,
  of: (answer, expected) => of(rougeWords(answer), rougeWords(expected)),
});

export const textMetrics: readonly TextMetric[] = [
  rouge('rouge1', 'ROUGE-1', (words, expected) => rougeN(words, expected, 1)),
  rouge('rouge2', 'ROUGE-2', (words, expected) => rougeN(words, expected, 2)),
  rouge('rougeL', 'ROUGE-L', rougeL),
  // White space around the texts doesn't count, as in suites.
  {
    name: 'exact_match',
    title: 'Exact match',
    ...SHARE,
    latinWords: false,
    of: (answer, expected) => (answer.trim() === expected.trim() ? 1 : 0),
  },
];

/** Those with the names, each once. */
export function textMetricsNamed(names: readonly string[]): TextMetric[] {
  return textMetrics.filter(({ name }) => names.includes(name));
}
