// Reduces a curve to fewer points that look the same: of each interval the lowest and the highest value are kept, so a single
// spike in 100,000 steps stays visible. For charts only; exports and figures use every value.

/** First index of the ascending `x` whose value is at least `bound`. */
export function lowerBound(x: ArrayLike<number>, bound: number): number {
  let low = 0;
  let high = x.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (x[middle]! < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Ascending indices of `values` in [from, to) to draw: all if they are few, else the first, the last and, of each of
 * `buckets` equal intervals, the lowest and the highest. At most 2 * buckets + 2.
 */
export function decimate(values: Float64Array, from: number, to: number, buckets: number): Uint32Array {
  const count = to - from;
  if (count <= 2 * buckets) return Uint32Array.from({ length: Math.max(0, count) }, (_, i) => from + i);
  const kept = new Uint32Array(2 * buckets + 2);
  let length = 0;
  const keep = (index: number) => {
    if (length === 0 || kept[length - 1]! < index) kept[length++] = index;
  };
  keep(from);
  for (let bucket = 0; bucket < buckets; bucket++) {
    const begin = from + Math.floor((bucket * count) / buckets);
    const end = from + Math.floor(((bucket + 1) * count) / buckets);
    let lowest = begin;
    let highest = begin;
    for (let i = begin + 1; i < end; i++) {
      // Comparisons with NaN are false: NaN is kept only if the interval has nothing else.
      if (!(values[i]! >= values[lowest]!)) lowest = Number.isNaN(values[i]!) ? lowest : i;
      if (!(values[i]! <= values[highest]!)) highest = Number.isNaN(values[i]!) ? highest : i;
    }
    keep(Math.min(lowest, highest));
    keep(Math.max(lowest, highest));
  }
  keep(to - 1);
  return kept.subarray(0, length);
}
