// What a run on a cluster costs, from the price of the cluster and the steps that were measured. Pure.

/**
 * @param stepMs milliseconds of each step so far
 * @param secondsLeft null: not known
 * @returns null without a price or a step; time in which the run waited or prepared isn't counted
 */
export function clusterCost(
  pricePerHour: number | null,
  stepMs: Float64Array,
  secondsLeft: number | null,
): { spent: number; whole: number | null } | null {
  if (pricePerHour === null || stepMs.length === 0) return null;
  const seconds = stepMs.reduce((sum, ms) => sum + ms, 0) / 1000;
  const priceOf = (time: number) => (pricePerHour * time) / 3600;
  return { spent: priceOf(seconds), whole: secondsLeft === null ? null : priceOf(seconds + secondsLeft) };
}

/** In any currency, with as many digits as say something. */
export function money(amount: number): string {
  if (amount === 0 || amount >= 0.1) return amount.toFixed(2);
  return amount < 0.001 ? '< 0.001' : amount.toFixed(3);
}
