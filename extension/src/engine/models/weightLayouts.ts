// Which base parameters are held in few bits, and how: `engine.base_weights`, `engine.precision` and what
// the file has. Called by loadModel and
// by the estimate, which reads no weight.
import type { UsedWeights } from '../../protocol/runConfig.js';
import type { StoredTensor } from '../files/tensorSource.js';
import { sizeOf, type Architecture } from './architecture.js';
import type { WeightLayout } from './quantizedWeight.js';

/** By parameter name; what isn't listed is float32. */
export type WeightLayouts = ReadonlyMap<string, WeightLayout>;

/** What a layout needs to know of a stored tensor. */
export type StoredAs = Pick<StoredTensor, 'blocks' | 'byteLength'>;

/** Q5_1 takes 6, Q6_K 6.56. */
const BITS_FOR_INT4 = 6;

/**
 * The matrices of linear modules and the token embedding. Blocks that a file has already stay as they are, whichever format
 * is asked for: rounding them again would move the loss (by 3% on a Q4_1 file whose embedding is Q8_0), and a file of the
 * wanted size is a better way to it. What such a file has in more bits than its blocks (the head as Q6_K, rows that are no whole
 * blocks as F16) is int8 where int4 is asked for, for the same reason.
 * @param stored the tensor of each parameter, in the architecture's order
 */
export function weightLayouts(
  { parameters, linears, embedding }: Architecture,
  stored: readonly StoredAs[],
  { base_weights: baseWeights, precision }: UsedWeights,
): WeightLayouts {
  // Products in bfloat16 would round the weights each time anyway.
  const format = baseWeights === 'float32' && precision === 'bfloat16' ? 'bfloat16' : baseWeights;
  if (format === 'float32') return new Map();
  const matrices = new Set([...linears.map(({ name }) => name), embedding].map(module => `${module}.weight`));
  const inBlocks = stored.some(({ blocks }) => blocks);
  const layouts = new Map<string, WeightLayout>();
  parameters.forEach(({ name, shape }, i) => {
    if (!matrices.has(name)) return;
    const [rows, columns] = shape as [number, number];
    const wide = inBlocks && (8 * stored[i]!.byteLength) / sizeOf(shape) > BITS_FOR_INT4;
    const wanted: WeightLayout = {
      format: wide && format === 'int4' ? 'int8' : format,
      shape: [rows, columns],
      transposed: false,
      precision,
    };
    layouts.set(name, (baseWeights !== 'float32' && keptLayout(stored[i]!, wanted)) || wanted);
  });
  return layouts;
}

/** The blocks that a file has, turned round where they lie so. */
function keptLayout({ blocks }: StoredAs, wanted: WeightLayout): WeightLayout | null {
  if (!blocks) return null;
  const [rows, columns] = wanted.shape;
  const shape = blocks.transposed ? ([columns, rows] as const) : wanted.shape;
  return { ...wanted, format: blocks.format, shape, transposed: blocks.transposed };
}
