// Shared by methods that read an adapter_config.json: which values are accepted, and which are refused.
import type { z } from 'zod';
import { InputError } from '../../core/inputError.js';

/** The file's values for the schema's keys; null means the default and is left out. */
export function knownValues(schema: z.ZodObject, json: Record<string, unknown>): Record<string, unknown> {
  const known = Object.keys(schema.shape).filter(key => json[key] !== undefined && json[key] !== null);
  return Object.fromEntries(known.map(key => [key, json[key]]));
}

/** @throws InputError if one of `keys` is used, that is, set to a value that isn't empty or off */
export function refuseUsed(keys: readonly string[], json: Record<string, unknown>, file: string): void {
  for (const key of keys) {
    const value = json[key];
    const isEmpty = typeof value === 'object' && Object.keys(value ?? {}).length === 0;
    if (value && !isEmpty) throw new InputError(`${key} is not supported`, { file });
  }
}
