// McNemar's exact test (1947) of two models on the same rows: are the rows that only one of them passes divided as by chance?

/**
 * Two-sided p-value of `wins` among `wins + losses` throws of a fair coin; SciPy's `binomtest(wins, wins + losses).pvalue`, and 1
 * if no row tells the models apart.
 */
export function mcnemar(wins: number, losses: number): number {
  const throws = wins + losses;
  const fewer = Math.min(wins, losses);
  if (wins === losses) return 1;
  // Probability of exactly `fewer`, in logarithms since 2 ** -throws may be too small for a double.
  let logarithm = -throws * Math.LN2;
  for (let k = 1; k <= fewer; k++) logarithm += Math.log((throws - fewer + k) / k);
  let term = Math.exp(logarithm);
  let sum = 0;
  for (let k = fewer; k >= 0 && term > 0; k--) {
    sum += term;
    term *= k / (throws - k + 1);
  }
  return Math.min(1, 2 * sum);
}
