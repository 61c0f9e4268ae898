// Whether a method fits a model: a method may refuse a family, which the contract tests then skip.
// test/contract/peftMethods.test.ts tests what a refusal looks like.
import { InputError } from '../../extension/src/core/inputError.js';
import type { Architecture } from '../../extension/src/engine/models/architecture.js';
import type { PeftMethod } from '../../extension/src/engine/peft/method.js';

/** Why the method doesn't fit with this config (by default, its defaults); null if it does. */
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
