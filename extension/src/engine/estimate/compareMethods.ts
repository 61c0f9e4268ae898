// One model, several methods with their default config. Called by `estimate`.
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
 * @param step of the run that they are compared for; each method has its own room for rows
 * @param next awaited before each method, for the turn of other work
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
