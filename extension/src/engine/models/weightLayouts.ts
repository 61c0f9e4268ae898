// Which base parameters are quantized, and how: this follows from `engine.base_weights`, `engine.precision` and the
// formats in the file. Called by loadModel.ts and by the estimate, which reads no weights.
import type { UsedWeights } from '../../protocol/engineConfig.js';
import type { StoredTensor } from '../files/tensorSource.js';
import { sizeOf, type Architecture } from './architecture.js';
import type { WeightLayout } from './quantizedWeight.js';

/** By parameter name; parameters that aren't listed are float32. */
export type WeightLayouts = ReadonlyMap<string, WeightLayout>;

/** The part of a stored tensor that a layout depends on. */
export type StoredAs = Pick<StoredTensor, 'blocks' | 'byteLength'>;

/** In a file with blocks, a tensor with more bits per value than this isn't rounded to int4. Q5_1 has 6, Q6_K 6.56. */
const MAX_BITS_FOR_INT4 = 6;

/**
 * Layouts of the linear modules' weights and the token embedding. Blocks that a file already has are kept, whatever
 * format is requested: rounding them again would change the loss (by 3% on a Q4_1 file whose embedding is Q8_0), and a
 * file of the wanted size is the better choice. For the same reason, tensors that such a file stores in more bits (the
 * head as Q6_K, rows that aren't a whole number of blocks as F16) become int8 if int4 is requested.
 * @param stored the tensor of each parameter, in the architecture's order
 */
export function weightLayouts(
  { parameters, linears, embedding }: Architecture,
  stored: readonly StoredAs[],
  { base_weights: baseWeights, precision }: UsedWeights,
): WeightLayouts {
  // Products in bfloat16 would round float32 weights each time anyway.
  const format = baseWeights === 'float32' && precision === 'bfloat16' ? 'bfloat16' : baseWeights;
  if (format === 'float32') return new Map();
  const matrices = new Set([...linears.map(({ name }) => name), embedding].map(module => `${module}.weight`));
  const inBlocks = stored.some(({ blocks }) => blocks);
  const layouts = new Map<string, WeightLayout>();
  parameters.forEach(({ name, shape }, i) => {
    if (!matrices.has(name)) return;
    const [rows, columns] = shape as [number, number];
    const wide = inBlocks && (8 * stored[i]!.byteLength) / sizeOf(shape) > MAX_BITS_FOR_INT4;
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

/** The layout of the file's own blocks, transposed if they are stored so; null if it has none. */
function keptLayout({ blocks }: StoredAs, wanted: WeightLayout): WeightLayout | null {
  if (!blocks) return null;
  const [rows, columns] = wanted.shape;
  const shape = blocks.transposed ? ([columns, rows] as const) : wanted.shape;
  return { ...wanted, format: blocks.format, shape, transposed: blocks.transposed };
}
