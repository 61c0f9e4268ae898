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

/** @param step of the run that they are compared for; each method has its own room for rows */
export function compareMethods(
  methods: readonly PeftMethod[],
  { architecture, layouts }: DescribedBase,
  config: Pick<RunConfig, 'dataset' | 'training'>,
  step: Pick<EstimateInput, 'captured' | 'graphs' | 'sequenceLength'>,
): MethodEstimate[] {
  return methods.map(method => {
    try {
      const attached = new AttachedMethod(method, method.schema.parse({}), architecture);
      const shape = runShape(config, attached);
      const sequenceLength = Math.min(step.sequenceLength, shape.maxLength);
      return { method, estimate: estimateRun({ ...step, attached, layouts, shape, sequenceLength }), reason: null };
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      return { method, estimate: null, reason: error.message };
    }
  });
}
