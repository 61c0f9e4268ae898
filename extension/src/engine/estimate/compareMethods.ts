// Estimates several methods with their default config on one model. Called by `estimate`.
import { InputError } from '../../core/inputError.js';
import type { RunConfig } from '../../protocol/runConfig.js';
import { AttachedMethod } from '../peft/attachedMethod.js';
import type { PeftMethod } from '../peft/method.js';
import { runShape } from '../training/runShape.js';
import type { DescribedBase } from './describedBase.js';
import { estimateRun, type Estimate, type EstimateInput } from './estimateRun.js';

export type MethodEstimate = { method: PeftMethod } & (
  | { estimate: Estimate; reason: null }
  /** Why the method's defaults don't fit this model. */
  | { estimate: null; reason: string }
);

/**
 * @param step the run's step; how long rows may be depends on the method
 * @param next awaited before each method, so that other work gets its turn
 */
export async function compareMethods(
  methods: readonly PeftMethod[],
  { architecture, layouts }: DescribedBase,
  config: Pick<RunConfig, 'dataset' | 'training'>,
  step: Pick<EstimateInput, 'captured' | 'graphs' | 'sequenceLength'>,
  next: (method: PeftMethod) => Promise<void>,
): Promise<MethodEstimate[]> {
  const found: MethodEstimate[] = [];
  for (const method of methods) {
    await next(method);
    try {
      const attached = new AttachedMethod(method, method.schema.parse({}), architecture);
      const shape = runShape(config, attached);
      const sequenceLength = Math.min(step.sequenceLength, shape.maxLength);
      const estimate = estimateRun({ ...step, attached, layouts, shape, sequenceLength });
      found.push({ method, estimate, reason: null });
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      found.push({ method, estimate: null, reason: error.message });
    }
  }
  return found;
}
