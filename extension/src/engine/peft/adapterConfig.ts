// Reading an adapter_config.json, as far as methods do it alike: which values are taken over, which can't be.
import type { z } from 'zod';
import { InputError } from '../../core/inputError.js';

/** The values that the file has for the schema's keys; null stands for a default. */
export function knownValues(schema: z.ZodObject, json: Record<string, unknown>): Record<string, unknown> {
  const known = Object.keys(schema.shape).filter(key => json[key] !== undefined && json[key] !== null);
  return Object.fromEntries(known.map(key => [key, json[key]]));
}

/** @throws InputError where one of `keys` is used, that is neither empty nor off */
export function refuseUsed(keys: readonly string[], json: Record<string, unknown>, file: string): void {
  for (const key of keys) {
    const value = json[key];
    const isEmpty = typeof value === 'object' && Object.keys(value ?? {}).length === 0;
    if (value && !isEmpty) throw new InputError(`${key} is not supported`, { file });
  }
}
