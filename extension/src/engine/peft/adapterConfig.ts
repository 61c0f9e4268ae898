// Reads an adapter_config.json: which keys a method implements (those of its schema), which change nothing when the
// adapter is used, and which are refused unless they have PEFT's default. Called by adapterFiles.ts for every method;
// a contract test holds the lists against PEFT's config classes.
import type { z } from 'zod';
import { InputError } from '../../core/inputError.js';
import type { Architecture } from '../models/architecture.js';
import { fullMatch } from './targets.js';

/** Keys of PEFT's config class that are not in a method's schema. */
export interface OtherKeys {
  /** They only matter to programs that train, or to parts that these models don't have. */
  withoutEffect: readonly string[];
  /** They change what the adapter computes, or how it would be trained. */
  refused: readonly string[];
}

/** Keys of every config class of PEFT: none changes what an adapter computes. */
export const COMMON_KEYS: readonly string[] = [
  'peft_type',
  'task_type',
  'auto_mapping',
  'peft_version',
  'base_model_name_or_path',
  'revision',
  'inference_mode',
];

/** The file's values for the schema's keys; null means the default and is left out. */
export function knownValues(schema: z.ZodObject, json: Record<string, unknown>): Record<string, unknown> {
  const known = Object.keys(schema.shape).filter(key => isSet(json[key]));
  return Object.fromEntries(known.map(key => [key, json[key]]));
}

/** @throws InputError if one of `keys` is used, that is, set to a value that isn't empty or off */
export function refuseUsed(keys: readonly string[], json: Record<string, unknown>, file: string): void {
  for (const key of keys)
    if (isUsed(json[key]))
      throw new InputError(`${key} is not supported`, {
        file,
        key,
        hint: 'Load the adapter with PEFT, call merge_and_unload(), save the model, and use that as the base.',
      });
}

/** Keys that no list has, with a value that does something. */
export function unknownKeys(known: readonly string[], json: Record<string, unknown>): string[] {
  const listed = new Set([...COMMON_KEYS, ...known]);
  return Object.keys(json).filter(key => !listed.has(key) && isUsed(json[key]));
}

/**
 * PEFT's layers_pattern: the name of the list of blocks to which layers_to_transform refers. There is only one in these
 * models, so it must be that one.
 */
export function checkLayersPattern(json: Record<string, unknown>, { blocks }: Architecture, file: string): void {
  const value = json['layers_pattern'];
  if (!isUsed(value)) return;
  const patterns = (Array.isArray(value) ? value : [value]).map(String);
  if (!patterns.some(pattern => fullMatch(pattern, blocks, { before: '(.*\\.)?', key: 'layers_pattern' })))
    throw new InputError(`layers_pattern ${JSON.stringify(value)} doesn’t match this model’s layers, ${blocks}`, {
      file,
      key: 'layers_pattern',
    });
}

function isSet(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function isUsed(value: unknown): boolean {
  const isEmpty = typeof value === 'object' && Object.keys(value ?? {}).length === 0;
  return Boolean(value) && !isEmpty;
}
