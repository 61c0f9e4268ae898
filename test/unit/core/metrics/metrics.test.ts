import { describe, expect, it } from 'vitest';
import { decimate, lowerBound } from '../../../../extension/src/core/metrics/decimation.js';
import { lowRankParameters } from '../../../../extension/src/core/metrics/lowRankParameters.js';
import { exponentialMovingAverage } from '../../../../extension/src/core/metrics/smoothing.js';

describe('exponentialMovingAverage', () => {
  it('leaves a constant curve unchanged from its first value', () => {
    expect([...exponentialMovingAverage(Float64Array.of(3, 3, 3, 3), 0.9)].map(v => v.toFixed(9))).toEqual(
      Array(4).fill('3.000000000'),
    );
  });

  it('weights by age, with bias correction', () => {
    const [first, second] = exponentialMovingAverage(Float64Array.of(1, 4), 0.5);
    expect(first).toBeCloseTo(1, 12);
    expect(second).toBeCloseTo((0.5 * 0.5 * 1 + 0.5 * 4) / 0.75, 12);
  });

  it('passes non-finite values through', () => {
    const smoothed = exponentialMovingAverage(Float64Array.of(2, NaN, Infinity, 2), 0.6);
    expect(smoothed[1]).toBeNaN();
    expect(smoothed[2]).toBe(Infinity);
    expect(smoothed[3]).toBeCloseTo(2, 12);
  });

  it('is the curve itself at weight 0', () => {
    const values = Float64Array.of(1, 2);
    expect(exponentialMovingAverage(values, 0)).toBe(values);
  });
});

describe('decimate', () => {
  const noisy = Float64Array.from({ length: 100_000 }, (_, i) => Math.sin(i / 500) + ((i * 7919) % 13) / 100);

  it('keeps every point where they are few', () => {
    expect([...decimate(noisy, 10, 15, 100)]).toEqual([10, 11, 12, 13, 14]);
    expect([...decimate(noisy, 10, 10, 100)]).toEqual([]);
  });

  it('keeps both ends, the extremes and the order, and at most two points per bucket', () => {
    const spiked = noisy.slice();
    spiked[43_210] = 50;
    spiked[77_777] = -50;
    const kept = decimate(spiked, 0, spiked.length, 500);
    expect(kept.length).toBeLessThanOrEqual(1002);
    expect(kept[0]).toBe(0);
    expect(kept.at(-1)).toBe(99_999);
    expect(kept).toContain(43_210);
    expect(kept).toContain(77_777);
    expect(kept.every((index, i) => i === 0 || index > kept[i - 1]!)).toBe(true);
  });

  it('decimates a part of the curve', () => {
    const kept = decimate(noisy, 50_000, 60_000, 100);
    expect(kept[0]).toBe(50_000);
    expect(kept.at(-1)).toBe(59_999);
  });

  it('accepts NaN', () => {
    const broken = noisy.slice();
    broken.fill(NaN, 1000, 3000);
    expect(() => decimate(broken, 0, broken.length, 100)).not.toThrow();
  });
});

describe('lowerBound', () => {
  it('finds the first value that is not below the bound', () => {
    expect([0, 1, 2, 5, 6].map(bound => lowerBound([1, 2, 5], bound))).toEqual([0, 0, 1, 2, 3]);
  });
});

describe('lowRankParameters', () => {
  it('is 4,608 instead of 32,768 for 512 x 64 at r = 8: 86% fewer', () => {
    const { w, a, b, trained, saved } = lowRankParameters({ outFeatures: 512, inFeatures: 64 }, 8);
    expect({ w, a, b, trained }).toEqual({ w: 32_768, a: 512, b: 4096, trained: 4608 });
    expect(Math.round(100 * saved)).toBe(86);
  });

  it('is negative if the rank is too high to save anything', () => {
    expect(lowRankParameters({ outFeatures: 64, inFeatures: 64 }, 64).saved).toBe(-1);
  });
});
