// Draws the next token by its probability. Pure except for the random number generator it is given.
import type { Rng } from '../data/rng.js';

export interface SamplingOptions {
  /** 0: always the likeliest token. */
  temperature: number;
  /** Sample only from the likeliest tokens that together have this probability. */
  topP: number;
  rng: Rng;
}

/** Draws a token by its probability at a temperature above 0. */
export function drawToken(logits: Float32Array, { temperature, topP, rng }: SamplingOptions): number {
  const highest = logits.reduce((most, logit) => Math.max(most, logit));
  const weights = Float64Array.from(logits, logit => Math.exp((logit - highest) / temperature));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  // All rarer tokens together have less than 1 - topP, so only the others, a small part of the vocabulary, are sorted.
  const rare = ((1 - topP) * total) / weights.length;
  const ids: number[] = [];
  for (const [id, weight] of weights.entries()) if (weight >= rare) ids.push(id);
  if (topP < 1) ids.sort((a, b) => weights[b]! - weights[a]!);
  let kept = 0;
  let mass = 0;
  do mass += weights[ids[kept++]!]!;
  while (kept < ids.length && mass < topP * total);
  let draw = rng.next() * mass;
  for (const id of ids.slice(0, kept)) {
    draw -= weights[id]!;
    if (draw <= 0) return id;
  }
  return ids[kept - 1]!;
}
