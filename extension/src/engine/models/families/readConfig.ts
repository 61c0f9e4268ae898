// Checks the keys of config.json that a family reads against its schema, and turns zod's report into one message that
// names each key.
import type { z } from 'zod';
import { InputError } from '../../../core/inputError.js';

/**
 * @param keys those that the family reads; others are left out
 * @param defaults what a missing key means, unlike null
 * @throws InputError that names each missing or invalid key
 */
export function readConfig<S extends z.ZodType>(
  schema: S,
  keys: readonly string[],
  raw: Record<string, unknown>,
  file: string,
  defaults: Readonly<Record<string, unknown>> = {},
): z.infer<S> {
  const read = Object.entries(raw).filter(([key, value]) => keys.includes(key) && value !== undefined);
  const result = schema.safeParse({ ...defaults, ...Object.fromEntries(read) });
  if (result.success) return result.data;
  const faults = result.error.issues.map(issue => `${issue.path.join('.')}: ${issue.message}`);
  throw new InputError(`invalid model configuration: ${faults.join('; ')}`, { file });
}
