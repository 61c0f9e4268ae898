// Config keys that several methods share, so that their words, checks and defaults stand once.
import { z } from 'zod';
import { about } from '../../protocol/about.js';

const names = z.array(z.string().min(1)).min(1);

export const targetModules = z
  .union([names, z.string().min(1)])
  .nullable()
  .default(null)
  .meta(
    about(
      'Target modules',
      'Modules to adapt: names, a regular expression, or "all-linear"; null: the family’s usual ones',
    ),
  );

export const excludeModules = z
  .union([names, z.string().min(1)])
  .nullable()
  .default(null)
  .meta(about('Excluded modules', 'Modules to leave out of those, as names or a regular expression'));

export const modulesToSaveKey = names
  .nullable()
  .default(null)
  .meta(about('Modules to save', 'Further modules to train whole and save beside the adapter, such as "lm_head"'));

export const numVirtualTokens = z
  .int()
  .positive()
  .max(4096)
  .default(20)
  .meta(about('Virtual tokens', 'Trainable virtual tokens before the input'));

export const layersToTransform = z
  .union([z.array(z.int().nonnegative()), z.int().nonnegative()])
  .nullable()
  .default(null)
  .meta(about('Layers', 'Adapt these layers only'));

export const rankPattern = z
  .record(z.string(), z.int().positive())
  .default({})
  .meta(about('Rank of some modules', 'Another r for some modules: {"down_proj": 16}'));

/** @param alpha the key that it stands in for */
export function alphaPattern(alpha: string) {
  return z
    .record(z.string(), z.number().positive())
    .default({})
    .meta(about('Alpha of some modules', `Another ${alpha} for some modules`));
}
