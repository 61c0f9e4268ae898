// Compares traces of a training step: one of a few layers with one of all. Used by unit and contract tests.
import { expect } from 'vitest';
import type { StepTrace } from '../../extension/src/engine/estimate/estimatedStep.js';

/**
 * Expects equal figures, to the byte, except for the number of nodes: equal small constants are shared, and in a short
 * trace a shape that contains the number of layers (prefix tuning's) can equal another one by chance, which then counts
 * one node less for each layer that isn't traced.
 */
export function expectSameTrace(few: StepTrace, whole: StepTrace, what = ''): void {
  const { nodes, ...figures } = few;
  const { nodes: all, ...expected } = whole;
  expect(figures, what).toEqual(expected);
  expect(Math.abs(nodes / all - 1), `nodes ${what}`).toBeLessThan(0.005);
}
