// Tokens per second over several steps, for charts: a single step says little, since the last batch of an epoch has fewer
// rows than the others, and a step that compiles a graph mostly waits for the compiler. Time between steps (evaluations,
// samples, checkpoints) isn't part of `step_ms` in the first place.

/** Steps that a value is taken over. */
export const THROUGHPUT_STEPS = 20;

/**
 * Tokens of the last THROUGHPUT_STEPS steps divided by their time, as of each step [steps].
 * @param columns `tokens_per_second`, `step_ms`, and `compiled`: 1 for steps that compiled a graph, which don't count
 */
export function throughput({
  tokensPerSecond,
  stepMs,
  compiled,
}: Record<'tokensPerSecond' | 'stepMs' | 'compiled', Float64Array>): Float64Array {
  const counts = (i: number) => compiled[i] !== 1 && Number.isFinite(tokensPerSecond[i]);
  const means = new Float64Array(tokensPerSecond.length);
  let tokens = 0;
  let ms = 0;
  for (let i = 0; i < means.length; i++) {
    const before = i - THROUGHPUT_STEPS;
    const include = (step: number, sign: 1 | -1) => {
      if (!counts(step)) return;
      tokens += (sign * tokensPerSecond[step]! * stepMs[step]!) / 1000;
      ms += sign * stepMs[step]!;
    };
    include(i, 1);
    if (before >= 0) include(before, -1);
    means[i] = ms > 0 ? (1000 * tokens) / ms : NaN;
  }
  return means;
}
