// Smoothing of curves for display, over all values: decimate afterwards, never before.

/**
 * Exponential moving average as in TensorBoard, with Adam's bias correction (arXiv:1412.6980, section 3). Non-finite values
 * pass through and leave the average unchanged.
 * @param weight of the previous average, in [0, 1); 0 returns `values` itself
 */
export function exponentialMovingAverage(values: Float64Array, weight: number): Float64Array {
  if (weight === 0) return values;
  const smoothed = new Float64Array(values.length);
  let average = 0;
  let correction = 1;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (!Number.isFinite(value)) {
      smoothed[i] = value;
      continue;
    }
    average = weight * average + (1 - weight) * value;
    correction *= weight;
    smoothed[i] = average / (1 - correction);
  }
  return smoothed;
}
