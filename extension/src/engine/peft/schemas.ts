// Config keys that several methods share: their descriptions, checks and defaults.
import * as z from 'zod';
import { about } from '../../protocol/about.js';

export const MAX_RANK = 65536;

const names = z.array(z.string().min(1)).min(1);

export const targetModules = z
  .union([names, z.string().min(1)])
  .nullable()
  .default(null)
  .meta(
    about(
      'Target modules',
      'Modules to adapt: names, a regular expression, or "all-linear"; null: the family’s defaults',
    ),
  );

export const excludeModules = z
  .union([names, z.string().min(1)])
  .nullable()
  .default(null)
  .meta(about('Excluded modules', 'Target modules not to adapt: names or a regular expression'));

export const modulesToSaveKey = names
  .nullable()
  .default(null)
  .meta(about('Modules to save', 'Other modules to train completely and save with the adapter, such as "lm_head"'));

export const numVirtualTokens = z
  .int()
  .positive()
  .max(4096)
  .default(20)
  .meta(about('Virtual tokens', 'Number of trainable virtual tokens before the input'));

export const layersToTransform = z
  .union([z.array(z.int().nonnegative()), z.int().nonnegative()])
  .nullable()
  .default(null)
  .meta(about('Layers', 'Adapt only these layers'));

export const rankPattern = z
  .record(z.string(), z.int().positive().max(MAX_RANK))
  .default({})
  .meta(about('Rank by module', 'A different r for some modules: {"down_proj": 16}'));

/** @param alpha the key that it overrides */
export function alphaPattern(alpha: string) {
  return z
    .record(z.string(), z.number().positive())
    .default({})
    .meta(about('Alpha by module', `A different ${alpha} for some modules`));
}
