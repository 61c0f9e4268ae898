// The arithmetic of PEFT's `add_weighted_adapter` (0.21, in `LoraModel` and `merge_utils`): the factors of one
// module of several LoRA adapters become one pair. Called by combineAdapters.ts for each module. Knows no files, configs or tfjs.
// Values are rounded to float32 where torch rounds them, so that pruning and signs decide alike.
import { Matrix } from 'ml-matrix';
import { InputError } from '../../core/inputError.js';
import { MAX_RANK } from './schemas.js';
import { truncatedSvd, truncatedSvdOfProduct, type TruncatedSvd } from './lowRank.js';

interface Rule {
  /** A and B each, the product scale · B A (then factored again), or neither: they are put side by side. */
  combines: 'factors' | 'product' | 'neither';
  /** Which values of an adapter are kept: the largest (TIES), or random ones (DARE, arXiv:2311.03099). */
  prunes: 'magnitude' | 'random' | null;
  /** Only values of the majority's sign are averaged (TIES, arXiv:2306.01708); else all are added. */
  electsSign: boolean;
}

const rules = {
  svd: { combines: 'product', prunes: null, electsSign: false },
  linear: { combines: 'factors', prunes: null, electsSign: false },
  cat: { combines: 'neither', prunes: null, electsSign: false },
  ties: { combines: 'factors', prunes: 'magnitude', electsSign: true },
  ties_svd: { combines: 'product', prunes: 'magnitude', electsSign: true },
  dare_linear: { combines: 'factors', prunes: 'random', electsSign: false },
  dare_ties: { combines: 'factors', prunes: 'random', electsSign: true },
  dare_linear_svd: { combines: 'product', prunes: 'random', electsSign: false },
  dare_ties_svd: { combines: 'product', prunes: 'random', electsSign: true },
  magnitude_prune: { combines: 'factors', prunes: 'magnitude', electsSign: false },
  magnitude_prune_svd: { combines: 'product', prunes: 'magnitude', electsSign: false },
} as const satisfies Record<string, Rule>;

export type CombinationType = keyof typeof rules;
export const combinationTypes = Object.keys(rules) as CombinationType[];
export const MAJORITY_SIGN_METHODS = ['total', 'frequency'] as const;

/** PEFT's options, and the seed of DARE. */
export interface CombinationOptions {
  combination_type: CombinationType;
  /** Fraction of the values of each adapter that is kept. */
  density?: number;
  /** How the majority's sign is found: by the sum of the values, or of their signs. "total" if left out. */
  majority_sign_method?: (typeof MAJORITY_SIGN_METHODS)[number];
  /** Rank after an SVD; that of the largest adapter if left out. */
  svd_rank?: number;
  /** Quantile above which the values of the new factors are clamped. */
  svd_clamp?: number;
  seed?: number;
}

/** Which rules an option belongs to. */
const appliesTo: Record<Exclude<keyof CombinationOptions, 'combination_type'>, (rule: Rule) => boolean> = {
  density: ({ prunes }) => prunes !== null,
  majority_sign_method: ({ electsSign }) => electsSign,
  svd_rank: ({ combines }) => combines === 'product',
  svd_clamp: ({ combines }) => combines === 'product',
  seed: ({ prunes }) => prunes === 'random',
};

/**
 * The options as they are used: PEFT only scales a single adapter, which is "linear".
 * @throws InputError for an option that is missing, out of range, or without effect on this combination
 */
export function checkedOptions(given: CombinationOptions, adapters: number): CombinationOptions {
  const options: CombinationOptions = adapters === 1 ? { ...given, combination_type: 'linear' } : given;
  const { combination_type: type, density, svd_clamp: clamp } = options;
  const rule: Rule = rules[type];
  for (const [key, applies] of Object.entries(appliesTo) as [keyof typeof appliesTo, (rule: Rule) => boolean][])
    if (options[key] !== undefined && !applies(rule))
      throw new InputError(
        `${key} has no effect on ${adapters === 1 ? 'a single adapter, which is only scaled' : `combination_type "${type}"`}`,
        {
          key,
          hint: `Leave it out. It belongs to ${combinationTypes.filter(name => applies(rules[name])).join(', ')}.`,
        },
      );
  if (rule.prunes && density === undefined)
    throw new InputError(`combination_type "${type}" needs a density`, {
      key: 'density',
      hint: 'It is the fraction of the values that is kept, such as 0.5.',
    });
  // DARE divides by it.
  const range = rule.prunes === 'random' ? 'above 0 and at most 1' : 'from 0 to 1';
  if (density !== undefined && !(density <= 1 && density >= 0 && (density > 0 || rule.prunes !== 'random')))
    throw new InputError(`density is ${density}; with combination_type "${type}" it must be ${range}`, {
      key: 'density',
      hint: 'It is the fraction of the values that is kept, such as 0.5.',
    });
  if (clamp !== undefined && !(clamp > 0.5 && clamp <= 1))
    throw new InputError(`svd_clamp is ${clamp}; it must be above 0.5 and at most 1`, {
      key: 'svd_clamp',
      hint: 'It is a quantile, such as 0.99: larger values are clamped.',
    });
  return options;
}

/**
 * The rank of the combination.
 * @param ranks of each adapter: the largest of r and its rank_pattern
 * @throws InputError if the ranks must be equal and are not, or the rank is higher than that of any adapter can be
 */
export function combinedRank(
  { combination_type: type, svd_rank }: CombinationOptions,
  ranks: readonly number[],
): number {
  const { combines } = rules[type];
  if (combines === 'factors') checkEqualRanks(type, ranks);
  const rank = combines === 'neither' ? ranks.reduce((sum, own) => sum + own, 0) : (svd_rank ?? Math.max(...ranks));
  if (rank <= MAX_RANK) return rank;
  throw new InputError(`the rank would be ${rank}; at most ${MAX_RANK} is supported`, {
    key: combines === 'neither' ? 'combination_type' : 'svd_rank',
    hint: 'Use svd with a lower svd_rank.',
  });
}

function checkEqualRanks(type: CombinationType, ranks: readonly number[], module?: string): void {
  if (ranks.every(rank => rank === ranks[0])) return;
  throw new InputError(
    `combination_type "${type}" needs adapters of the same rank, but theirs are ${ranks.join(', ')}` +
      (module === undefined ? '' : ` in ${module}`),
    { key: 'combination_type', hint: 'Use cat, which is exact, or svd: they take adapters of any rank.' },
  );
}

/** The factors of one adapter in one module. */
export interface WeightedFactors {
  /** [rank, in] */
  a: Float32Array;
  /** [out, rank] */
  b: Float32Array;
  rank: number;
  /** lora_alpha / r, or what rsLoRA makes of it. */
  scale: number;
  /** Of the adapter in the combination; may be negative. */
  weight: number;
}

/** Factors whose scale is 1. */
export interface CombinedFactors {
  a: Float32Array;
  b: Float32Array;
  rank: number;
}

export interface ModuleSize {
  module: string;
  inFeatures: number;
  outFeatures: number;
}

/** DARE's choice: 1 for each of `size` values that is kept. */
export type KeepRandom = (size: number) => ArrayLike<number>;

/**
 * Combines the factors of the adapters that have this module.
 * @param rank of the combination
 * @throws InputError if ranks must be equal and are not, or a result is non-finite
 */
export function combineModule(
  parts: readonly WeightedFactors[],
  size: ModuleSize,
  rank: number,
  options: CombinationOptions,
  keepRandom: KeepRandom,
): CombinedFactors {
  const combined = combinedFactors(parts, size, rank, options, keepRandom);
  if (![combined.a, combined.b].every(values => values.every(Number.isFinite)))
    throw new InputError('the combination has non-finite values', { key: size.module, hint: 'Use smaller weights.' });
  return combined;
}

function combinedFactors(
  parts: readonly WeightedFactors[],
  size: ModuleSize,
  rank: number,
  options: CombinationOptions,
  keepRandom: KeepRandom,
): CombinedFactors {
  const { combination_type: type } = options;
  const rule: Rule = rules[type];
  if (rule.combines === 'neither') return sideBySide(parts, size, rank);
  const ofTensors = (tensors: Float32Array[], weights: number[]) =>
    combineTensors(tensors, weights, rule, options, keepRandom);
  if (rule.combines === 'factors') {
    const ranks = parts.map(part => part.rank);
    checkEqualRanks(type, ranks, size.module);
    // Half of the weight goes to each factor; a sign in both would cancel.
    const roots = parts.map(({ weight, scale }) => Math.sqrt(Math.abs(weight * scale)));
    const signed = roots.map((root, i) => (parts[i]!.weight * parts[i]!.scale >= 0 ? root : -root));
    const a = ofTensors(
      parts.map(part => part.a),
      signed,
    );
    const b = ofTensors(
      parts.map(part => part.b),
      roots,
    );
    return { a, b, rank: ranks[0]! };
  }
  const svd =
    rule.prunes === null
      ? svdOfSum(parts, size, rank)
      : truncatedSvd(
          matrixOf(
            ofTensors(
              parts.map(part => productOf(part, size)),
              parts.map(part => part.weight),
            ),
            size.outFeatures,
          ),
          rank,
        );
  if (options.svd_clamp !== undefined) clampFactors(svd, options.svd_clamp);
  return paddedFactors(svd, rank);
}

/** PEFT's cat: B A is the exact weighted sum; rows and columns that are left over are 0. */
function sideBySide(parts: readonly WeightedFactors[], { inFeatures, outFeatures }: ModuleSize, rank: number) {
  const a = new Float32Array(rank * inFeatures);
  const b = new Float32Array(outFeatures * rank);
  let first = 0;
  for (const part of parts) {
    const [weight, scale] = [Math.fround(part.weight), Math.fround(part.scale)];
    a.set(
      part.a.map(value => Math.fround(value * weight) * scale),
      first * inFeatures,
    );
    for (let row = 0; row < outFeatures; row++)
      b.set(part.b.subarray(row * part.rank, (row + 1) * part.rank), row * rank + first);
    first += part.rank;
  }
  return { a, b, rank };
}

/** Prunes each tensor, then adds them by weight, or averages the values that have the majority's sign. */
function combineTensors(
  tensors: readonly Float32Array[],
  exactWeights: readonly number[],
  { prunes, electsSign }: Rule,
  { density = 1, majority_sign_method: method }: CombinationOptions,
  keepRandom: KeepRandom,
): Float32Array {
  const weights = exactWeights.map(Math.fround);
  const kept = tensors.map(tensor => {
    if (prunes === null || density >= 1) return tensor;
    return prunes === 'magnitude' ? keepLargest(tensor, density) : keepRescaled(tensor, density, keepRandom);
  });
  return tensors[0]!.map((_, i) => {
    let total = 0;
    if (electsSign)
      for (const tensor of kept)
        total = Math.fround(total + (method === 'frequency' ? Math.sign(tensor[i]!) : tensor[i]!));
    const majority = total >= 0 ? 1 : -1;
    let sum = 0;
    let count = 0;
    kept.forEach((tensor, t) => {
      if (electsSign && Math.sign(tensor[i]!) !== majority) return;
      sum = Math.fround(sum + Math.fround(tensor[i]! * weights[t]!));
      count++;
    });
    return electsSign ? sum / Math.max(count, 1) : sum;
  });
}

/** The others become 0. Of equal ones at the limit the first are kept; torch leaves open which. */
function keepLargest(values: Float32Array, density: number): Float32Array {
  const count = Math.trunc(density * values.length);
  if (count === 0) return new Float32Array(values.length);
  const limit = values.map(Math.abs).toSorted()[values.length - count]!;
  let equal = count - values.reduce((above, value) => above + (Math.abs(value) > limit ? 1 : 0), 0);
  return values.map(value => {
    const size = Math.abs(value);
    return size > limit || (size === limit && equal-- > 0) ? value : 0;
  });
}

function keepRescaled(values: Float32Array, density: number, keepRandom: KeepRandom): Float32Array {
  const keep = keepRandom(values.length);
  const divisor = Math.fround(density);
  return values.map((value, i) => (keep[i] ? value / divisor : 0));
}

/** scale · B A, [out, in] in float32 */
function productOf({ a, b, rank, scale }: WeightedFactors, { outFeatures }: ModuleSize): Float32Array {
  const product = matrixOf(b, outFeatures).mmul(matrixOf(a, rank));
  const float = Math.fround(scale);
  return Float32Array.from(product.to1DArray(), value => Math.fround(value) * float);
}

function svdOfSum(parts: readonly WeightedFactors[], { outFeatures }: ModuleSize, rank: number): TruncatedSvd {
  const total = parts.reduce((sum, part) => sum + part.rank, 0);
  const left = new Matrix(outFeatures, total);
  const right: Matrix[] = [];
  let first = 0;
  for (const { a, b, rank: own, scale, weight } of parts) {
    left.setSubMatrix(matrixOf(b, outFeatures).mul(scale * weight), 0, first);
    right.push(matrixOf(a, own));
    first += own;
  }
  return truncatedSvdOfProduct(left, new Matrix(right.flatMap(matrix => matrix.to2DArray())), rank);
}

/**
 * Clamps both factors at a quantile of all their values. Each pair of singular vectors may have either sign, on which PEFT's
 * threshold depends; here values count with both signs.
 */
function clampFactors({ us, vh }: TruncatedSvd, quantile: number): void {
  const sizes = [...us.to1DArray(), ...vh.to1DArray()].flatMap(value => [value, -value]);
  const sorted = Float64Array.from(sizes).toSorted();
  const position = quantile * (sorted.length - 1);
  const below = Math.floor(position);
  const limit = sorted[below]! + (position - below) * ((sorted[below + 1] ?? sorted[below]!) - sorted[below]!);
  for (const matrix of [us, vh]) matrix.apply((i, j) => matrix.set(i, j, clamped(matrix.get(i, j), limit)));
}

function clamped(value: number, limit: number): number {
  return Math.max(-limit, Math.min(limit, value));
}

/** A matrix has no more singular vectors than its smaller side; the ranks above that are 0. */
function paddedFactors({ us, vh }: TruncatedSvd, rank: number): CombinedFactors {
  const a = new Float32Array(rank * vh.columns);
  const b = new Float32Array(us.rows * rank);
  a.set(vh.to1DArray());
  for (let row = 0; row < us.rows; row++) b.set(us.getRow(row), row * rank);
  return { a, b, rank };
}

function matrixOf(values: Float32Array, rows: number): Matrix {
  return Matrix.from1DArray(rows, values.length / rows, values);
}
