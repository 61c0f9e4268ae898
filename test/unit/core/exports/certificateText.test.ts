// A certificate in words: a row for each comparison, reasons once, and the worst verdict as the whole's.
import { describe, expect, it } from 'vitest';
import {
  certificateReasons,
  certificateTable,
  overallVerdict,
  verdictText,
} from '../../../../extension/src/core/exports/certificateText.js';
import type { Comparison } from '../../../../extension/src/protocol/certificate.js';

const ids: Comparison = {
  what: 'token ids',
  compared: 1234,
  unit: 'text',
  with: 'chats',
  ...{ difference: 0, bound: 0, why: '', verdict: 'same' },
};
const kl: Comparison = {
  what: 'kl',
  compared: 1,
  unit: 'token',
  with: 'rows',
  ...{ difference: 0.000012, bound: 0.02, why: '8 bits', verdict: 'within' },
};
const answers: Comparison = {
  what: 'greedy answers',
  compared: 3,
  unit: 'answer',
  with: 'prompts',
  ...{ difference: 1, bound: null, why: '8 bits', verdict: 'within' },
};
const absent: Comparison = {
  what: 'kl',
  compared: 0,
  unit: 'token',
  with: '',
  ...{ difference: null, bound: null, why: '--no-compare', verdict: 'not compared' },
};

it('is a table', () => {
  expect(certificateTable({ comparisons: [ids, kl, answers, absent] })).toEqual([
    ['What', 'Compared', 'With', 'Difference', 'At most', 'Verdict'],
    ['Token ids', '1,234 texts', 'chats', 'none', 'none', 'same'],
    ['KL divergence', '1 token', 'rows', '1.20e-5 nats per token', '0.02000', 'within'],
    ['Greedy answers', '3 answers', 'prompts', '1 difference', '', 'within'],
    ['KL divergence', '', '', '', '', 'not compared'],
  ]);
});

it('gives each reason once', () => {
  expect(certificateReasons({ comparisons: [ids, kl, kl, absent] })).toEqual([
    'KL divergence: 8 bits',
    'KL divergence: --no-compare',
  ]);
});

describe('the verdict', () => {
  it.each([
    [[], 'same'],
    [[ids], 'same'],
    [[ids, kl], 'within'],
    [[kl, absent, ids], 'not compared'],
    [[kl, { verdict: 'differs' as const }, absent], 'differs'],
  ] as const)('of %j is %s', (comparisons, verdict) => expect(overallVerdict(comparisons)).toBe(verdict));

  it.each([
    ['same', /^Certified: read again by tunewright 1\.2, it doesn't differ/],
    ['within', /^Certified: .*no more than its type must/],
    ['not compared', /^Written: .*not everything was compared/],
    ['differs', /^Not certified: .*it differs/],
  ] as const)('%s is a sentence', (verdict, text) => {
    expect(verdictText({ verdict, reader: { name: 'tunewright', version: '1.2' } })).toMatch(text);
  });
});
