// The choice of an answer's next token: penalties, temperature, top_k, top_p and min_p in the order and with the formulas of
// Transformers' logits processors, OpenAI's presence and frequency penalties after the repetition penalty. One for each answer:
// it has the answer's own random numbers, so that an answer depends on its seed, not on what else is decoded. Pure otherwise.
import type { Sampling } from '../../protocol/sampling.js';
import { InputError } from '../../core/inputError.js';
import { createRng, type Rng } from '../data/rng.js';
import { largest } from './largest.js';

export type SamplingOptions = Omit<Sampling, 'max_new_tokens' | 'stop'>;

/** Tokens that may be drawn, until the next choice. */
export interface Candidates {
  ids: Int32Array;
  /** In proportion to the probabilities, by the index of `ids`; the most likely one has 1. */
  weights: Float64Array;
}

export class TokenSampler {
  private readonly rng: Rng;
  /** Of the answer so far: token -> how often it has it. */
  private readonly counts = new Map<number, number>();
  private readonly penalised: Set<number>;
  private kept: KeptTokens | null = null;

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

  /** @param logits of the model, [vocab]; not modified @throws InputError if they are not finite */
  choose(logits: Float32Array): number {
    const { ids, weights } = this.candidates(logits);
    if (ids.length === 1) return ids[0]!;
    let total = 0;
    for (let i = 0; i < weights.length; i++) total += weights[i]!;
    let draw = this.rng.next() * total;
    for (let i = 0; i < ids.length; i++) {
      draw -= weights[i]!;
      if (draw < 0) return ids[i]!;
    }
    // Rounding may leave a little of the last one.
    return ids.at(-1)!;
  }

  /** What may be drawn after `logits`; a single token at temperature 0. */
  candidates(logits: Float32Array): Candidates {
    const scores = this.withPenalties(logits);
    const best = highest(scores);
    const { temperature, top_k: topK, top_p: topP, min_p: minP } = this.options;
    if (temperature === 0) return { ids: Int32Array.of(best), weights: Float64Array.of(1) };
    const kept = (this.kept ??= new KeptTokens(scores.length));
    // Tokens that are as likely as the last of the top k are kept, as in Transformers.
    const least = topK > 0 && topK < scores.length ? scores[largest(scores, topK).at(-1)!]! : -Infinity;
    kept.take(scores, { top: scores[best]!, least, temperature });
    if (topP < 1) kept.keepTopP(topP);
    if (minP > 0) kept.keepMinP(minP);
    return kept.candidates;
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

/** Groups of the tokens by probability, of which only one has to be sorted for top_p. */
const GROUPS = 512;
/** To a natural logarithm, so that the groups reach from the most likely token to e^-32 of it. */
const GROUPS_PER_UNIT = 16;

/** The tokens that are left after each step. Its memory is used again for each token of an answer. */
class KeptTokens {
  private readonly ids: Int32Array;
  private readonly weights: Float64Array;
  private readonly groups: Uint16Array;
  private readonly masses = new Float64Array(GROUPS);
  private count = 0;

  constructor(vocab: number) {
    this.ids = new Int32Array(vocab);
    this.weights = new Float64Array(vocab);
    this.groups = new Uint16Array(vocab);
  }

  get candidates(): Candidates {
    return { ids: this.ids.subarray(0, this.count), weights: this.weights.subarray(0, this.count) };
  }

  /** @param range of scores: the highest, and the least that is taken */
  take(scores: Float32Array, { top, least, temperature }: { top: number; least: number; temperature: number }): void {
    this.count = 0;
    for (let id = 0; id < scores.length; id++) {
      const score = scores[id]!;
      if (score < least) continue;
      const depth = (top - score) / temperature;
      const weight = Math.exp(-depth);
      if (weight === 0) continue;
      this.ids[this.count] = id;
      this.weights[this.count] = weight;
      this.groups[this.count++] = Math.min(GROUPS - 1, depth * GROUPS_PER_UNIT);
    }
  }

  /**
   * Keeps the most likely tokens that together have the probability `topP`, at least one: those of the groups before the one
   * that reaches it, and of that one, which is sorted, as many as it takes.
   */
  keepTopP(topP: number): void {
    const { weights, groups, masses, count } = this;
    masses.fill(0);
    let total = 0;
    for (let i = 0; i < count; i++) {
      masses[groups[i]!]! += weights[i]!;
      total += weights[i]!;
    }
    let last = 0;
    let mass = 0;
    while (last < GROUPS - 1 && mass + masses[last]! < topP * total) mass += masses[last++]!;
    const members: number[] = [];
    for (let i = 0; i < count; i++) if (groups[i] === last) members.push(i);
    members.sort((a, b) => weights[b]! - weights[a]!);
    const chosen = new Set<number>();
    for (const i of members) {
      if (mass >= topP * total) break;
      chosen.add(i);
      mass += weights[i]!;
    }
    this.keep(i => groups[i]! < last || chosen.has(i));
  }

  keepMinP(minP: number): void {
    this.keep(i => this.weights[i]! >= minP);
  }

  private keep(isKept: (index: number) => boolean): void {
    let kept = 0;
    for (let i = 0; i < this.count; i++) {
      if (!isKept(i)) continue;
      this.ids[kept] = this.ids[i]!;
      this.weights[kept++] = this.weights[i]!;
    }
    this.count = kept;
  }
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

/** The sum of logits says it of all of them, those of minus infinity included. */
export function checkLogitSum(sum: number): void {
  if (Number.isNaN(sum) || sum === Infinity) throw notFinite();
}

function notFinite(): InputError {
  return new InputError('the model computes non-finite logits (infinite or NaN), so no token can be chosen', {
    hint: 'The model or the adapter is damaged, or its training has diverged: use an earlier checkpoint.',
  });
}
