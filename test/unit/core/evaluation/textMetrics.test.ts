// Metrics of generated answers beyond ROUGE (rouge.test.ts): exact match, and what is the same for every metric of the registry.
import { describe, expect, it } from 'vitest';
import { textMetrics } from '../../../../extension/src/core/evaluation/textMetrics.js';
import { TEXT_METRIC_NAMES } from '../../../../extension/src/protocol/runConfig.js';

const exactMatch = textMetrics.find(({ name }) => name === 'exact_match')!;

it.each([
  ['Paris', 'Paris', 1],
  [' Paris\n', 'Paris', 1],
  ['paris', 'Paris', 0],
  ['Paris.', 'Paris', 0],
  ['', 'Paris', 0],
  ['東京', '東京', 1],
])('exact match of %j with %j is %d', (answer, expected, score) => {
  expect(exactMatch.of(answer, expected)).toBe(score);
});

it('run files and options name all of them, in their order', () => {
  expect(textMetrics.map(({ name }) => name)).toEqual(TEXT_METRIC_NAMES);
});

describe.each(textMetrics)('$name', ({ of }) => {
  it('is 1 for equal texts, 0 for an empty answer', () => {
    expect(of('a swan has feathers', 'a swan has feathers')).toBe(1);
    expect(of('', 'a swan has feathers')).toBe(0);
  });
});
