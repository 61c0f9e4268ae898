// Which token comes next: the likeliest, or one drawn by its probability. Pure but for the random numbers it is given.
import type { Rng } from '../data/rng.js';

export interface SamplingOptions {
  /** 0: always the likeliest token. */
  temperature: number;
  /** Sample from the likeliest tokens that together have this probability. */
  topP: number;
  rng: Rng;
}

/** Draws a token by its probability at a temperature above 0. */
export function drawToken(logits: Float32Array, { temperature, topP, rng }: SamplingOptions): number {
  const ids = Array.from(logits.keys()).sort((a, b) => logits[b]! - logits[a]!);
  const highest = logits[ids[0]!]!;
  const weights = ids.map(id => Math.exp((logits[id]! - highest) / temperature));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let kept = 0;
  let mass = 0;
  do mass += weights[kept++]!;
  while (kept < ids.length && mass < topP * total);
  let draw = rng.next() * mass;
  for (let i = 0; i < kept; i++) {
    draw -= weights[i]!;
    if (draw <= 0) return ids[i]!;
  }
  return ids[kept - 1]!;
}
