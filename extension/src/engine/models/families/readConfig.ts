// Checks config.json against a family's schema and turns zod's report into one message that names each key.
import type { z } from 'zod';
import { InputError } from '../../../core/inputError.js';

/** @throws InputError that names each missing or invalid key */
export function readConfig<S extends z.ZodType>(schema: S, raw: Record<string, unknown>, file: string): z.infer<S> {
  const result = schema.safeParse(raw);
  if (result.success) return result.data;
  const faults = result.error.issues.map(issue => `${issue.path.join('.')}: ${issue.message}`);
  throw new InputError(`invalid model configuration: ${faults.join('; ')}`, { file });
}
