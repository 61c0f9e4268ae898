import { expect, it } from 'vitest';
import {
  byDifference,
  byLoss,
  byProbability,
  probability,
} from '../../../../extension/src/core/playground/tokenShades.js';

const token = (id: number, share: number) => ({ id, text: String(id), logprob: Math.log(share), top: [] });

it('colours a token the more, the less likely it was', () => {
  const strengths = [1, 0.5, 0.03, 0.001, 1e-9].map(share => byProbability(token(1, share)).strength);
  expect(strengths.map(strength => Number(strength.toFixed(2)))).toEqual([0, 0.1, 0.51, 1, 1]);
});

it('colours a token of a row as its probability says, and names its loss', () => {
  expect(byLoss(token(1, 0.03))).toEqual({ ...byProbability(token(1, 0.03)), text: 'loss 3.51, probability 3.0%' });
});

it('writes probabilities with as many digits as say something', () => {
  expect([1, 0.973, 0.00042, 1e-7].map(share => probability(Math.log(share)))).toEqual([
    '100.0%',
    '97.3%',
    '0.042%',
    '<0.001%',
  ]);
});

it('colours the difference from another column by the probabilities of the same token', () => {
  expect(byDifference(token(1, 0.9), token(1, 0.4))).toEqual({
    strength: expect.closeTo(0.5),
    side: 'more',
    text: '90.0% here, 40.0% there',
  });
  expect(byDifference(token(1, 0.2), token(1, 0.8))).toMatchObject({ strength: expect.closeTo(0.6), side: 'less' });
  expect(byDifference(token(1, 0.5), token(1, 0.5)).strength).toBe(0);
});
