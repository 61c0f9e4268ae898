// The sequences that decode together: their keys and values in one cache tensor, a place for each. Sequences come and go
// between steps. Owns the tensor; graphs and the adapters' tensors belong to the caller.
import * as tf from '@tensorflow/tfjs-core';
import { keyValueBytes, type Architecture } from '../models/architecture.js';
import { usablePositions } from '../models/rotaryTables.js';
import { cacheShape, copied, written, type CacheSize } from './cacheTensor.js';
import type { StepForm, StepGraphs } from './stepGraphs.js';
import type { Prediction } from './tokenReader.js';

/** Tokens in the smallest cache; each larger one is twice as large. */
const SMALLEST_CAPACITY = 128;

/** Tokens that a cache has room for beyond those that are there, if an answer may be longer. */
const ROOM = 256;

/** Sequences in a batch: few different numbers, since each needs a graph of its own. */
const ROWS = [1, 4, 8, 16] as const;
export const MOST_ROWS = ROWS.at(-1)!;

/** Capacity of a cache for `tokens` tokens, prefix included, and at most `toCome` more. */
export function capacityFor(tokens: number, toCome: number): number {
  const needed = tokens + Math.min(toCome, ROOM);
  return SMALLEST_CAPACITY * 2 ** Math.max(0, Math.ceil(Math.log2(needed / SMALLEST_CAPACITY)));
}

/** Tokens of the largest cache of one sequence within `bytes`; the smallest cache is always allowed. */
export function capacityWithin(architecture: Architecture, bytes: number): number {
  const tokens = bytes / keyValueBytes(architecture);
  return SMALLEST_CAPACITY * 2 ** Math.max(0, Math.floor(Math.log2(tokens / SMALLEST_CAPACITY)));
}

/** Rows for a number of sequences. @param now a batch shrinks only if it has four times as many or more */
export function rowsFor(sequences: number, now = 0): number {
  return now >= sequences && 4 * sequences > now ? now : ROWS.find(rows => rows >= sequences)!;
}

/** A sequence in a batch. */
export interface Place {
  /** Keys and values that it has, prefix included. */
  readonly length: number;
}

export class Batch<Member extends Place> {
  readonly places: (Member | null)[];
  private content: tf.Tensor2D;

  constructor(
    private readonly graphs: StepGraphs,
    private size: CacheSize,
  ) {
    this.places = Array.from({ length: size.rows }, () => null);
    this.content = this.empty(size);
  }

  get rows(): number {
    return this.size.rows;
  }

  get capacity(): number {
    return this.size.capacity;
  }

  get bytes(): number {
    return 4 * this.content.size;
  }

  get members(): Member[] {
    return this.places.filter(member => member !== null);
  }

  /** @param own its keys and values [layers * 2, heads, length, headDim]; belongs to the caller */
  join(member: Member, own: tf.Tensor4D): void {
    const place = this.places.indexOf(null);
    this.places[place] = member;
    this.content = written(this.content, this.size, place, own);
  }

  /** Its keys and values, in the form that `join` takes; the result belongs to the caller. */
  copy(member: Member): tf.Tensor4D {
    const parts = 2 * this.graphs.model.architecture.layers.length;
    return copied(this.content, this.size, this.places.indexOf(member), { parts, length: member.length });
  }

  leave(member: Member): void {
    this.places[this.places.indexOf(member)] = null;
  }

  /** Moves all to a tensor of another size that has room for them. */
  resize(size: CacheSize): void {
    const moved = this.members.map(member => ({ member, own: this.copy(member) }));
    this.content.dispose();
    this.size = size;
    this.content = this.empty(size);
    this.places.splice(0, Infinity, ...Array.from({ length: size.rows }, () => null));
    for (const { member, own } of moved) {
      this.join(member, own);
      own.dispose();
    }
  }

  /**
   * Reads a token of each sequence, by place; in an empty place, nothing that counts is read. Members have one more key
   * and value afterwards.
   * @param fed the tensors of the form
   * @throws Error beyond the last usable position: XLA's code would silently read past the tables
   */
  async step(form: StepForm, tokens: readonly number[], fed: readonly tf.Tensor[]): Promise<Prediction> {
    const usable = usablePositions(this.graphs.model.architecture);
    const positions = this.places.map(member => member?.length ?? 0);
    if (positions.some(position => position >= usable)) throw new Error(`the model reads at most ${usable} tokens`);
    const graph = await this.graphs.of(form, this.size);
    const int = (values: readonly number[]) => tf.tensor2d([...values], [this.rows, 1], 'int32');
    const own = [int(tokens), int(positions), this.content];
    const [likeliest, logits, content] = graph.run([...own, ...fed]);
    tf.dispose(own);
    this.content = content as tf.Tensor2D;
    return { likeliest: likeliest!, logits: logits! };
  }

  private empty({ rows, capacity }: CacheSize): tf.Tensor2D {
    return tf.zeros(cacheShape(this.graphs.model.architecture, capacity, rows));
  }

  dispose(): void {
    this.content.dispose();
  }
}
