import { expect, test } from 'vitest';
import { throughput, THROUGHPUT_STEPS } from '../../../../extension/src/core/metrics/throughput.js';

/** Columns of steps of this many tokens in this many milliseconds. */
function columns(steps: readonly { tokens: number; ms: number; compiled?: boolean }[]) {
  const of = (value: (step: (typeof steps)[number]) => number) => Float64Array.from(steps, value);
  return {
    tokensPerSecond: of(({ tokens, ms }) => (1000 * tokens) / ms),
    stepMs: of(({ ms }) => ms),
    compiled: of(({ compiled }) => (compiled ? 1 : 0)),
  };
}
const full = { tokens: 1000, ms: 100 };

test('equal steps have the throughput of each', () => {
  expect([...throughput(columns([full, full, full]))]).toEqual([10_000, 10_000, 10_000]);
});

test('it is the tokens of the last steps divided by their time, not the mean of their rates', () => {
  const small = { tokens: 200, ms: 60 };
  expect(throughput(columns([full, full, full, small]))[3]).toBeCloseTo((3200 / 360) * 1000, 9);
});

test('the last batch of an epoch, which is smaller, is no dip', () => {
  const epoch = [...Array<typeof full>(10).fill(full), { tokens: 200, ms: 60 }];
  const values = throughput(columns(Array.from({ length: 8 }, () => epoch).flat()));
  const settled = values.subarray(THROUGHPUT_STEPS);
  expect(Math.min(...settled) / Math.max(...settled)).toBeGreaterThan(0.95);
});

test('a step that compiled a graph does not count', () => {
  const compiled = { tokens: 1000, ms: 5000, compiled: true };
  const values = throughput(columns([compiled, full, compiled, full]));
  expect(values[0]).toBeNaN();
  expect([...values.subarray(1)]).toEqual([10_000, 10_000, 10_000]);
});

test('a step leaves the mean after THROUGHPUT_STEPS', () => {
  const slow = { tokens: 1000, ms: 1000 };
  const values = throughput(columns([slow, ...Array<typeof full>(THROUGHPUT_STEPS).fill(full)]));
  expect(values[THROUGHPUT_STEPS - 1]).toBeLessThan(10_000);
  expect(values[THROUGHPUT_STEPS]).toBeCloseTo(10_000, 6);
});
