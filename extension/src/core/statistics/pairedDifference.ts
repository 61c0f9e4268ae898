// How sure the difference of two models' mean scores on the same rows is: a bootstrap interval, bias-corrected and accelerated (BCa;
// Efron 1987: "Better Bootstrap Confidence Intervals"), as SciPy's `bootstrap(method='BCa', paired=True)`. Pure; the resamples are
// the caller's, so that equal seeds give equal intervals.
import { normalCdf, normalQuantile } from './normal.js';

export type Interval = [low: number, high: number];

/** Probability that the interval has the true difference. */
export const CONFIDENCE = 0.95;
const TAIL = (1 - CONFIDENCE) / 2;

/** Scores are fractions, whose differences are off in their last bits. */
const SAME = 1e-12;

/**
 * Where the true mean of the differences is.
 * @param differences of the scores of each row, from -1 to 1; at least one
 * @param resamples a list of row indices each, as long as `differences`; not used if all differences are equal
 */
export function differenceInterval(differences: readonly number[], resamples: Iterable<ArrayLike<number>>): Interval {
  const mean = meanOf(differences);
  const isDifferent = (difference: number) => Math.abs(difference - differences[0]!) > SAME;
  if (!differences.some(isDifferent)) return intervalOfEqual(mean, differences.length);

  const means: number[] = [];
  const drawn = new Float64Array(differences.length);
  for (const rows of resamples) {
    for (let i = 0; i < drawn.length; i++) drawn[i] = differences[rows[i]!]!;
    means.push(meanOf(drawn));
  }
  means.sort((a, b) => a - b);
  return bca(differences, mean, means);
}

/**
 * If all rows differ alike, resampling can't tell how far others may be from them: a share of q of all rows may be, unless that makes
 * n equal ones less likely than a tail, (1 - q) ** n, and each of them by as much as scores allow.
 */
function intervalOfEqual(difference: number, rows: number): Interval {
  const share = 1 - TAIL ** (1 / rows);
  return [difference - share * (difference + 1), difference + share * (1 - difference)];
}

/** @param means of the resamples, ascending */
function bca(differences: readonly number[], mean: number, means: readonly number[]): Interval {
  const below = means.filter(value => value < mean).length;
  const upTo = means.filter(value => value <= mean).length;
  const bias = normalQuantile((below + upTo) / (2 * means.length));
  // Without any resample on one side of the mean there is no bias to correct by.
  if (!Number.isFinite(bias)) return [percentile(means, TAIL), percentile(means, 1 - TAIL)];
  const acceleration = accelerationOf(differences, mean);
  const bound = (tail: number) => {
    const shifted = bias + normalQuantile(tail);
    return percentile(means, normalCdf(bias + shifted / (1 - acceleration * shifted)));
  };
  return [bound(TAIL), bound(1 - TAIL)];
}

/** The skewness of the jackknife: a mean without one row is off by that row's distance from the mean, up to a factor. */
function accelerationOf(differences: readonly number[], mean: number): number {
  const sum = (power: number) => differences.reduce((total, difference) => total + (difference - mean) ** power, 0);
  return sum(3) / (6 * sum(2) ** 1.5);
}

/** Row indices of `count` samples with replacement of `rows` rows, each in the same array. @param int a uniform integer below its argument */
export function* resamples(rows: number, count: number, int: (limit: number) => number): Generator<Int32Array> {
  const indices = new Int32Array(rows);
  for (let k = 0; k < count; k++) {
    for (let i = 0; i < rows; i++) indices[i] = int(rows);
    yield indices;
  }
}

/** numpy.percentile: linear between the two nearest values. */
function percentile(sorted: readonly number[], share: number): number {
  const at = share * (sorted.length - 1);
  const low = Math.min(Math.floor(at), sorted.length - 1);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low]! + (at - low) * (sorted[high]! - sorted[low]!);
}

/** Rounded as numpy.mean is, so that resamples are above, equal to and below the mean where they are for SciPy. */
function meanOf(values: ArrayLike<number>): number {
  return pairwiseSum(values, 0, values.length) / values.length;
}

/** NumPy's order of additions: halves of more than 128 values; eight sums side by side, then the rest. */
function pairwiseSum(values: ArrayLike<number>, from: number, to: number): number {
  const count = to - from;
  if (count > 128) {
    const half = count >> 1;
    const middle = from + half - (half % 8);
    return pairwiseSum(values, from, middle) + pairwiseSum(values, middle, to);
  }
  const eights = count - (count % 8);
  const sums = new Float64Array(8);
  for (let i = 0; i < eights; i++) sums[i % 8]! += values[from + i]!;
  let sum = sums[0]! + sums[1]! + (sums[2]! + sums[3]!) + (sums[4]! + sums[5]! + (sums[6]! + sums[7]!));
  for (let i = from + eights; i < to; i++) sum += values[i]!;
  return sum;
}
