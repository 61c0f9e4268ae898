// How far a written file may be from the model that it was made of, by the types of its tensors, and why. Called by the certificate.
// docs/decisions/0052 has the figures that the bounds follow from; `npm run test:exports` fails if llama.cpp's own file of a type is above.

export interface KlBound {
  /** Mean KL divergence in nats per token. */
  most: number;
  why: string;
}

const bits = (count: number): string =>
  `blocks of ${count} bits; llama.cpp's own files differ as much, so that only a wrong file is above the bound`;

/** By type of a tensor. */
const BOUNDS: Readonly<Record<string, KlBound>> = {
  F32: { most: 1e-5, why: 'every value is kept; only the sum of a merged weight is rounded' },
  F16: { most: 1e-4, why: 'each value is rounded to 11 bits' },
  BF16: { most: 5e-3, why: 'each value is rounded to 8 bits' },
  Q8_0: { most: 0.02, why: 'each value is rounded to a 127th of the largest of its 32' },
  Q6_K: { most: 0.1, why: bits(6) },
  Q5_K: { most: 0.5, why: bits(5) },
  Q5_1: { most: 0.5, why: bits(5) },
  Q5_0: { most: 0.5, why: bits(5) },
  Q4_K: { most: 1, why: bits(4) },
  Q4_1: { most: 1, why: bits(4) },
  Q4_0: { most: 1, why: bits(4) },
};

/** The coarsest type, and those with more bits, the fewest first. */
export function finerTypes(types: Iterable<string>): [coarsest: string, finer: string[]] {
  const mostOf = (type: string) => BOUNDS[type]!.most;
  const coarsest = [...types].reduce((worst, type) => (mostOf(type) > mostOf(worst) ? type : worst), 'F32');
  return [coarsest, ['Q8_0', 'F16', 'F32'].filter(type => mostOf(type) < mostOf(coarsest))];
}

/** The bound of the coarsest type. */
export function klBound(types: Iterable<string>): KlBound {
  const bounds = [...types].map(type => BOUNDS[type]!);
  return bounds.reduce((most, bound) => (bound.most > most.most ? bound : most), BOUNDS['F32']!);
}
