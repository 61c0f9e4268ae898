import { describe, expect, it } from 'vitest';
import { byDifference, byProbability, probability } from '../../../../extension/src/core/playground/tokenShades.js';

const token = (id: number, share: number, others: readonly [number, number][] = []) => ({
  id,
  text: String(id),
  logprob: Math.log(share),
  top: others.map(([other, otherShare]) => ({ id: other, text: String(other), logprob: Math.log(otherShare) })),
});

it('colours a token the more, the less likely it was', () => {
  const strengths = [1, 0.5, 0.03, 0.001, 1e-9].map(share => byProbability(token(1, share)).strength);
  expect(strengths.map(strength => Number(strength.toFixed(2)))).toEqual([0, 0.1, 0.51, 1, 1]);
});

it('writes probabilities with as many digits as say something', () => {
  expect([1, 0.973, 0.00042, 1e-7].map(share => probability(Math.log(share)))).toEqual([
    '100.0%',
    '97.3%',
    '0.042%',
    '<0.001%',
  ]);
});

describe('the difference between two columns', () => {
  it('is that of the probabilities, to the first token that differs', () => {
    const own = [token(1, 0.9), token(2, 0.8), token(3, 0.5)];
    const other = [
      token(1, 0.4),
      token(9, 0.7, [
        [9, 0.7],
        [2, 0.2],
      ]),
      token(3, 0.5),
    ];
    expect(byDifference(own, other)).toEqual([
      { strength: expect.closeTo(0.5), side: 'more', text: '90.0% here, 40.0% there' },
      { strength: expect.closeTo(0.6), side: 'more', text: '80.0% here, 20.0% there' },
      null,
    ]);
  });

  it('is at least that from the least likely alternative, if the token is none of them', () => {
    const [shade] = byDifference(
      [token(1, 0.6)],
      [
        token(9, 0.7, [
          [9, 0.7],
          [8, 0.1],
        ]),
      ],
    );
    expect(shade).toEqual({ strength: expect.closeTo(0.5), side: 'more', text: '60.0% here, below 10.0% there' });
  });

  it('ends where the other answer ends', () => {
    expect(byDifference([token(1, 0.5), token(2, 0.5)], [token(1, 0.7)])).toEqual([
      { strength: expect.closeTo(0.2), side: 'less', text: expect.any(String) },
      null,
    ]);
  });
});
