// Traces of a training step compared: one of few layers with one of all. Used by unit and contract tests.
import { expect } from 'vitest';
import type { StepTrace } from '../../extension/src/engine/estimate/estimatedStep.js';

/**
 * Everything to the byte but the number of nodes. A small constant that a graph has already is shared, and a shape with
 * the number of layers in it (prefix tuning's) can equal another by chance: one node of a short trace, at each layer that
 * isn't traced.
 */
export function expectSameTrace(few: StepTrace, whole: StepTrace, what = ''): void {
  const { nodes, ...figures } = few;
  const { nodes: all, ...expected } = whole;
  expect(figures, what).toEqual(expected);
  expect(Math.abs(nodes / all - 1), `nodes ${what}`).toBeLessThan(0.005);
}
