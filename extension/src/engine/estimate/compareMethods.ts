// One model, every method of the registry with its default config. Called by `estimate`.
import { InputError } from '../../core/inputError.js';
import type { PeftMethod } from '../peft/method.js';
import { peftMethods } from '../peft/registry.js';
import type { DescribedBase } from './describedBase.js';
import { estimateRun, type Estimate } from './estimateRun.js';
import type { StepShape } from './stepTrace.js';

export type MethodEstimate = { method: PeftMethod } & (
  | { estimate: Estimate; reason: null }
  /** Why the method's defaults don't fit this model. */
  | { estimate: null; reason: string }
);

export function compareMethods(base: DescribedBase, captured: boolean, shape: StepShape): MethodEstimate[] {
  return peftMethods.map(method => {
    try {
      const methodConfig = method.schema.parse({});
      return {
        method,
        estimate: estimateRun({ ...base, method, methodConfig, captured, ...shape }),
        reason: null,
      };
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      return { method, estimate: null, reason: error.message };
    }
  });
}
