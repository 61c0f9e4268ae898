// The choice of an answer's next token: penalties, temperature, top_k, top_p and min_p in the order and with the formulas of
// Transformers' logits processors, OpenAI's presence and frequency penalties after the repetition penalty. One for each answer:
// it has the answer's own random numbers, so that an answer depends on its seed, not on what else is decoded. Pure otherwise.
import type { Sampling } from '../../protocol/sampling.js';
import { createRng, type Rng } from '../data/rng.js';
import { largest } from './largest.js';

export type SamplingOptions = Omit<Sampling, 'max_new_tokens' | 'stop'>;

/** Tokens that may be drawn. */
export interface Candidates {
  ids: number[];
  /** In proportion to the probabilities, by the index of `ids`; the most likely one has 1. */
  weights: number[];
}

/** Groups of the tokens by probability, of which only one has to be sorted for top_p. */
const GROUPS = 512;
/** Width of a group in natural logarithms: from the most likely token to e^-32 of it. */
const GROUP_WIDTH = 1 / 16;

export class TokenSampler {
  private readonly rng: Rng;
  /** Of the answer so far: token -> how often it has it. */
  private readonly counts = new Map<number, number>();
  private readonly penalised: Set<number>;

  /** @param promptIds tokens that the repetition penalty counts as well, as in Transformers */
  constructor(
    private readonly options: SamplingOptions,
    promptIds: readonly number[],
  ) {
    this.rng = createRng(options.seed);
    this.penalised = new Set(options.repetition_penalty === 1 ? [] : promptIds);
  }

  /** Whether the next token is the most likely one, so that no logits have to be read. */
  get isPlainGreedy(): boolean {
    const { temperature, repetition_penalty: repetition, presence_penalty: presence } = this.options;
    return temperature === 0 && repetition === 1 && presence === 0 && this.options.frequency_penalty === 0;
  }

  /** Counts a token as part of the answer. */
  add(id: number): void {
    this.counts.set(id, (this.counts.get(id) ?? 0) + 1);
    if (this.options.repetition_penalty !== 1) this.penalised.add(id);
  }

  /** @param logits of the model, [vocab]; not modified @throws Error if they are not numbers */
  choose(logits: Float32Array): number {
    const { ids, weights } = this.candidates(logits);
    if (ids.length === 1) return ids[0]!;
    let total = 0;
    for (const weight of weights) total += weight;
    let draw = this.rng.next() * total;
    for (let i = 0; i < ids.length; i++) {
      draw -= weights[i]!;
      if (draw < 0) return ids[i]!;
    }
    // Rounding may leave a little of the last one.
    return ids[weights.findLastIndex(weight => weight > 0)]!;
  }

  /** What may be drawn after `logits`; a single token at temperature 0. */
  candidates(logits: Float32Array): Candidates {
    const scores = this.withPenalties(logits);
    const best = highest(scores);
    const { temperature, top_k: topK, top_p: topP, min_p: minP } = this.options;
    if (temperature === 0) return { ids: [best], weights: [1] };
    const top = scores[best]!;
    const k = topK > 0 && topK < scores.length ? topK : 0;
    // Tokens that are as likely as the last of the top k are kept, as in Transformers.
    const least = k > 0 ? scores[largest(scores, k)[k - 1]!]! : -Infinity;
    const ids: number[] = [];
    const weights: number[] = [];
    for (let id = 0; id < scores.length; id++) {
      if (scores[id]! < least) continue;
      const weight = Math.exp((scores[id]! - top) / temperature);
      if (weight === 0) continue;
      ids.push(id);
      weights.push(weight);
    }
    const kept = topP < 1 ? withTopP({ ids, weights }, topP) : { ids, weights };
    return minP > 0 ? keep(kept, weight => weight >= minP) : kept;
  }

  private withPenalties(logits: Float32Array): Float32Array {
    const { repetition_penalty: repetition, presence_penalty: presence, frequency_penalty: frequency } = this.options;
    if (this.penalised.size === 0 && presence === 0 && frequency === 0) return logits;
    const scores = Float32Array.from(logits);
    for (const id of this.penalised) {
      const score = scores[id];
      // Virtual tokens have no logit.
      if (score !== undefined) scores[id] = score < 0 ? score * repetition : score / repetition;
    }
    if (presence !== 0 || frequency !== 0)
      for (const [id, count] of this.counts) scores[id]! -= presence + frequency * count;
    return scores;
  }
}

function keep({ ids, weights }: Candidates, isKept: (weight: number, index: number) => boolean): Candidates {
  const kept: Candidates = { ids: [], weights: [] };
  weights.forEach((weight, i) => {
    if (!isKept(weight, i)) return;
    kept.ids.push(ids[i]!);
    kept.weights.push(weight);
  });
  return kept;
}

/**
 * The most likely tokens that together have the probability `topP`, at least one. Tokens are grouped by probability: those of
 * the groups before the one that reaches it are kept, and only that one is sorted.
 */
function withTopP({ ids, weights }: Candidates, topP: number): Candidates {
  const groupOf = (weight: number) => Math.min(GROUPS - 1, Math.floor(-Math.log(weight) / GROUP_WIDTH));
  const masses = new Float64Array(GROUPS);
  let total = 0;
  for (const weight of weights) {
    masses[groupOf(weight)]! += weight;
    total += weight;
  }
  let group = 0;
  let mass = 0;
  while (group < GROUPS - 1 && mass + masses[group]! < topP * total) mass += masses[group++]!;
  const sorted = [...weights.keys()]
    .filter(i => groupOf(weights[i]!) === group)
    .sort((a, b) => weights[b]! - weights[a]!);
  const chosen = new Set<number>();
  for (const i of sorted) {
    if (mass >= topP * total) break;
    chosen.add(i);
    mass += weights[i]!;
  }
  return keep({ ids, weights }, (weight, i) => groupOf(weight) < group || chosen.has(i));
}

/** Index of the highest value, the first of several. */
function highest(values: Float32Array): number {
  let best = -1;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (Number.isNaN(value) || value === Infinity) throw notFinite();
    if (value > (best < 0 ? -Infinity : values[best]!)) best = i;
  }
  if (best < 0) throw notFinite();
  return best;
}

function notFinite(): Error {
  return new Error('the model’s logits are non-finite, so that no token can be chosen');
}
