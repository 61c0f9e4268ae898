// Which methods a model can have: a method may refuse a family, which then is no case of the contract tests. What a refusal
// has to look like is in test/contract/peftMethods.test.ts.
import { InputError } from '../../extension/src/core/inputError.js';
import type { Architecture } from '../../extension/src/engine/models/architecture.js';
import type { PeftMethod } from '../../extension/src/engine/peft/method.js';

/** Why the method can't be had with this config (its defaults, if none is given); null: it can. */
export function refusalOf(
  method: PeftMethod,
  architecture: Architecture,
  config: unknown = method.schema.parse({}),
): InputError | null {
  try {
    method.plan(config, architecture, 'training');
    return null;
  } catch (error) {
    if (error instanceof InputError) return error;
    throw error;
  }
}
