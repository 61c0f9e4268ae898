// One model, several methods with their default config. Called by `estimate`.
import { InputError } from '../../core/inputError.js';
import type { PeftMethod } from '../peft/method.js';
import type { DescribedBase } from './describedBase.js';
import { estimateRun, type Estimate } from './estimateRun.js';
import type { StepShape } from './stepTrace.js';

export type MethodEstimate = { method: PeftMethod } & (
  | { estimate: Estimate; reason: null }
  /** Why the method's defaults don't fit this model. */
  | { estimate: null; reason: string }
);

export function compareMethods(
  methods: readonly PeftMethod[],
  base: DescribedBase,
  captured: boolean,
  shape: StepShape,
): MethodEstimate[] {
  return methods.map(method => {
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
