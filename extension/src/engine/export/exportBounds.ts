// How far a written file may be from the model that it was made of, by the types of its tensors, and why. Called by the certificate.
// `npm run test:exports` measures what llama.cpp's own files differ by, and fails if a bound is below that.

export interface KlBound {
  /** Mean KL divergence in nats per token. */
  most: number;
  why: string;
}

const ROUNDED = 'of the rounding of its blocks; the least exact of test:exports, a model of 135M, has';

/** By type of a tensor. */
const BOUNDS: Readonly<Record<string, KlBound>> = {
  F32: { most: 1e-5, why: 'F32 keeps every value; the merged sum is rounded once' },
  F16: { most: 1e-3, why: 'F16 keeps 11 bits of a value' },
  BF16: { most: 5e-3, why: 'BF16 keeps 8 bits of a value' },
  Q8_0: { most: 0.02, why: 'Q8_0 keeps 8 bits of the largest value of 32' },
  Q6_K: { most: 0.1, why: `6 bits: ten times what ${ROUNDED} 0.010` },
  Q5_K: { most: 0.5, why: '5 bits' },
  Q5_1: { most: 0.5, why: '5 bits' },
  Q5_0: { most: 0.5, why: '5 bits' },
  Q4_K: { most: 1, why: '4 bits' },
  Q4_1: { most: 1, why: '4 bits' },
  Q4_0: { most: 1, why: '4 bits' },
};

/** The bound of the coarsest type. */
export function klBound(types: Iterable<string>): KlBound {
  const bounds = [...types].map(type => BOUNDS[type]!);
  return bounds.reduce((most, bound) => (bound.most > most.most ? bound : most), BOUNDS['F32']!);
}
