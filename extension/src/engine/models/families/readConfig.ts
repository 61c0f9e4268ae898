// Checks the keys of config.json that a family reads against its schema; the error names each key and what is allowed.
import type { z } from 'zod';
import { schemaError } from '../../../core/forms/zodSchema.js';

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
  if (!result.success) throw schemaError(result.error, schema, raw, { file });
  return result.data;
}
