// What low-rank factors save on matrices of known shape: W [out, in] is frozen, A [r, in] and B [out, r] are trained, one pair as
// in LoRA (arXiv:2106.09685) or two as in LoHa (arXiv:2108.06098). For the diagram in the run panel; the engine's estimate is
// authoritative.

export interface MatrixShape {
  outFeatures: number;
  inFeatures: number;
}

export interface LowRankParameters {
  /** Parameters of W. */
  w: number;
  /** Parameters of A, in all pairs. */
  a: number;
  b: number;
  /** a + b, trained instead of w. */
  trained: number;
  /** Share of w that needn't be trained; negative if the rank is too high to save anything. */
  saved: number;
}

/** 512 x 64 at r = 8: 32,768 become 512 + 4,096 = 4,608, 86% fewer. */
export function lowRankParameters(
  { outFeatures, inFeatures }: MatrixShape,
  rank: number,
  pairs: 1 | 2 = 1,
): LowRankParameters {
  const w = outFeatures * inFeatures;
  const a = pairs * rank * inFeatures;
  const b = pairs * outFeatures * rank;
  return { w, a, b, trained: a + b, saved: 1 - (a + b) / w };
}
