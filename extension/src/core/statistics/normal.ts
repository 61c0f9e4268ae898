// The standard normal distribution, to the precision of doubles. Used by pairedDifference.ts.

/** Probability of a value below `x`, by Marsaglia's series (2004: "Evaluating the Normal Distribution"). */
export function normalCdf(x: number): number {
  // The series would add larger and larger terms; the tail is below what a double has beside 1.
  if (Math.abs(x) > 8.5) return x > 0 ? 1 : 0;
  let term = x;
  let sum = x;
  for (let i = 3, before = NaN; sum !== before; i += 2) {
    before = sum;
    term *= (x * x) / i;
    sum += term;
  }
  return 0.5 + (sum * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI);
}

/** The value below which the probability is `p`, by Newton's method; infinite for 0 and 1. */
export function normalQuantile(p: number): number {
  if (p < 0.5) return -normalQuantile(1 - p);
  if (p >= 1) return Infinity;
  // From the left of the root, where the distribution is concave, no step goes beyond it.
  let x = 0;
  for (let step = 1; step > 1e-15 && x < 8.5;) {
    step = (p - normalCdf(x)) * Math.sqrt(2 * Math.PI) * Math.exp((x * x) / 2);
    x += Math.max(step, 0);
  }
  return x;
}
