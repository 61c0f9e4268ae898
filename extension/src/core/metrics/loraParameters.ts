// What LoRA saves on matrices whose shapes are known (arXiv:2106.09685): W [out, in] stays, A [r, in] and B [out, r] are
// trained. For the picture in the run panel; the engine's own estimate has the last word.

export interface MatrixShape {
  outFeatures: number;
  inFeatures: number;
}

export interface LoraParameters {
  /** Parameters of W. */
  w: number;
  a: number;
  b: number;
  /** a + b: what is trained in place of w. */
  trained: number;
  /** Share of w that needn't be trained; below 0 where the rank is too high to save anything. */
  saved: number;
}

/** 512 x 64 at r = 8: 32,768 become 512 + 4,096 = 4,608, 86% fewer. */
export function loraParameters({ outFeatures, inFeatures }: MatrixShape, rank: number): LoraParameters {
  const w = outFeatures * inFeatures;
  const a = rank * inFeatures;
  const b = outFeatures * rank;
  return { w, a, b, trained: a + b, saved: 1 - (a + b) / w };
}
