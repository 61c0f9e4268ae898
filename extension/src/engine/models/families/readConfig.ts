// Checks config.json against a family's schema and turns zod's report into one message that names the key.
import type { z } from 'zod';
import { InputError } from '../../../core/inputError.js';

/** @throws InputError naming each key that is missing or wrong */
export function readConfig<S extends z.ZodType>(schema: S, raw: Record<string, unknown>, file: string): z.infer<S> {
  const result = schema.safeParse(raw);
  if (result.success) return result.data;
  const faults = result.error.issues.map(issue => `${issue.path.join('.')}: ${issue.message}`);
  throw new InputError(`the model’s configuration can't be used: ${faults.join('; ')}`, { file });
}
