// Decoding with a key/value cache: greedy, or sampled from a seed. One sequence at a time.
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../../core/inputError.js';
import type { Rng } from '../data/rng.js';
import { KeyValueCache, type CausalLm, type ForwardOptions } from '../models/causalLm.js';

export interface GenerateOptions {
  maxNewTokens: number;
  /** Decoding ends behind one of these. */
  stopTokenIds: readonly number[];
  /** 0: always the likeliest token. */
  temperature: number;
  /** Sample from the likeliest tokens that together have this probability. */
  topP: number;
  rng: Rng;
  /** Called with each new token; return false to stop. */
  onToken?: (id: number) => boolean | void;
}

/**
 * Continues a prompt.
 * @returns the new token ids, without the stop token
 * @throws InputError where the prompt alone is longer than the model's positions
 */
export function generate(
  model: CausalLm,
  promptIds: readonly number[],
  forward: ForwardOptions,
  options: GenerateOptions,
): number[] {
  const { vocabSize, maxPositions } = model.architecture;
  const virtual = forward.hooks?.virtualTokens?.count ?? 0;
  const before = forward.hooks?.keyValuePrefix?.count ?? 0;
  const prompt = [...Array.from({ length: virtual }, (_, i) => vocabSize + i), ...promptIds];
  if (prompt.length + before >= maxPositions)
    throw new InputError(`the prompt has ${prompt.length + before} tokens, the model reads ${maxPositions}`, {
      where: 'prompt',
      hint: 'Shorten the prompt.',
    });
  const cache = new KeyValueCache();
  const generated: number[] = [];
  try {
    let next = prompt;
    let position = 0;
    const room = maxPositions - prompt.length - before;
    while (generated.length < Math.min(options.maxNewTokens, room)) {
      const logits = lastLogits(model, next, position, { ...forward, cache });
      position += next.length;
      const id = choose(logits, options);
      if (options.stopTokenIds.includes(id)) break;
      generated.push(id);
      if (options.onToken?.(id) === false) break;
      next = [id];
    }
  } finally {
    cache.dispose();
  }
  return generated;
}

function lastLogits(model: CausalLm, ids: readonly number[], position: number, forward: ForwardOptions): Float32Array {
  const logits = tf.tidy(() => {
    const shape: [number, number] = [1, ids.length];
    const input = {
      inputIds: tf.tensor2d(Int32Array.from(ids), shape, 'int32'),
      positionIds: tf.tensor2d(
        Int32Array.from(ids, (_, i) => position + i),
        shape,
        'int32',
      ),
      segmentIds: tf.ones(shape, 'int32') as tf.Tensor2D,
    };
    const hidden = model.forward(input, forward);
    return model.logits(tf.slice(hidden, [ids.length - 1, 0], [1, -1]), forward);
  });
  const values = logits.dataSync() as Float32Array;
  logits.dispose();
  return values;
}

function choose(logits: Float32Array, { temperature, topP, rng }: GenerateOptions): number {
  if (temperature <= 0) return logits.reduce((best, value, i) => (value > logits[best]! ? i : best), 0);
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
