import { expect, test } from 'vitest';
import { clusterCost, money } from '../../../../extension/src/core/metrics/clusterCost.js';

const steps = new Float64Array([60_000, 120_000]);

test('the cost is the price of the measured time, and of the time that is left', () => {
  expect(clusterCost(4, steps, 5 * 60 + 120)).toEqual({ spent: 0.2, whole: (4 * 600) / 3600 });
  expect(clusterCost(4, steps, null)).toEqual({ spent: 0.2, whole: null });
  expect(clusterCost(0, steps, 60)).toEqual({ spent: 0, whole: 0 });
});

test('there is none without a price or a step', () => {
  expect(clusterCost(null, steps, 60)).toBeNull();
  expect(clusterCost(4, new Float64Array(0), null)).toBeNull();
});

test('amounts have the digits that say something', () => {
  expect([0, 12.345, 0.25, 0.0123, 0.00002].map(money)).toEqual(['0.00', '12.35', '0.25', '0.012', '< 0.001']);
});
