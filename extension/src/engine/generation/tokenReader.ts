// The model reads tokens and predicts the next: prompts and tokens op by op here, one token of each sequence of a batch with a
// graph in stepGraphs.ts.
import * as tf from '@tensorflow/tfjs-core';
import { KeyValueCache, type CausalLm, type ForwardOptions } from '../models/causalLm.js';

/** The prediction after the tokens read so far. The caller disposes its tensors. */
export interface Prediction {
  /** int32 [sequences] */
  likeliest: tf.Tensor;
  /** [sequences, vocab] */
  logits: tf.Tensor;
}

/** The hidden states after each token, [sequences * tokens, hidden]. */
function hiddenOf(
  model: CausalLm,
  ids: tf.Tensor2D,
  positions: tf.Tensor2D,
  forward: ForwardOptions,
  segmentIds = tf.ones(ids.shape, 'int32') as tf.Tensor2D,
): tf.Tensor2D {
  return model.forward({ inputIds: ids, positionIds: positions, segmentIds }, forward);
}

/**
 * The prediction after the last token of each sequence.
 * @param ids int32 [sequences, tokens], like `positions`, which don't count a prefix of the hooks; several tokens only
 *   for a single sequence
 */
export function predict(
  model: CausalLm,
  ids: tf.Tensor2D,
  positions: tf.Tensor2D,
  forward: ForwardOptions,
): Prediction {
  const hidden = hiddenOf(model, ids, positions, forward);
  const [sequences, tokens] = ids.shape;
  return predictionAt(model, tokens > 1 ? tf.slice(hidden, [tokens - 1, 0], [sequences, -1]) : hidden, forward);
}

/** @param last hidden states [sequences, hidden] */
function predictionAt(model: CausalLm, last: tf.Tensor2D, forward: ForwardOptions): Prediction {
  const logits = model.logits(last, forward);
  return { likeliest: tf.argMax(logits, 1), logits };
}

function row(values: readonly number[]): tf.Tensor2D {
  return tf.tensor2d([...values], [1, values.length], 'int32');
}

/**
 * Tokens of a prompt that are read at the same time, so that a long prompt needs no more memory than a short one, and
 * other sequences go on in between.
 */
export const PROMPT_CHUNK = 256;

/**
 * Reads several prompts in one pass, as segments of one sequence, so that each weight is read once for all of them.
 * @param forward without virtual tokens or a prefix
 * @returns the prediction after each prompt, and its keys and values; they belong to the caller
 */
export function readTogether(
  model: CausalLm,
  forward: ForwardOptions,
  prompts: readonly (readonly number[])[],
): { prediction: Prediction; caches: KeyValueCache[] } {
  const ends: number[] = [];
  for (const { length } of prompts) ends.push((ends.at(-1) ?? 0) + length);
  const all = new KeyValueCache();
  const caches = prompts.map(() => new KeyValueCache());
  const read = (): Prediction => {
    const positions = row(prompts.flatMap(prompt => prompt.map((_, i) => i)));
    const segmentIds = row(prompts.flatMap((prompt, i) => prompt.map(() => i)));
    const hidden = hiddenOf(model, row(prompts.flat()), positions, { ...forward, cache: all }, segmentIds);
    const last = ends.map(end => end - 1);
    for (const [layer, { keys, values }] of all.layers.entries())
      for (const [i, { length }] of prompts.entries()) {
        const own = (x: tf.Tensor4D) => tf.slice(x, [0, 0, ends[i]! - length, 0], [-1, -1, length, -1]);
        caches[i]!.extend(layer, { keys: own(keys), values: own(values) });
      }
    return predictionAt(model, tf.gather(hidden, tf.tensor1d(last, 'int32')), forward);
  };
  try {
    return { prediction: tf.tidy(() => ({ ...read() })), caches };
  } catch (error) {
    for (const cache of caches) cache.dispose();
    throw error;
  } finally {
    all.dispose();
  }
}

/** Reads tokens op by op, with a growing cache. */
export class EagerReader {
  /**
   * @param cache of earlier tokens, owned from now on
   * @param position number of those tokens, without a prefix
   */
  constructor(
    private readonly model: CausalLm,
    private readonly forward: ForwardOptions,
    readonly cache = new KeyValueCache(),
    private position = 0,
  ) {}

  /** Reads the next tokens. */
  read(tokens: readonly number[]): Prediction {
    let prediction: Prediction | null = null;
    for (let start = 0; start < tokens.length; start += PROMPT_CHUNK) {
      if (prediction) tf.dispose([prediction.likeliest, prediction.logits]);
      prediction = this.readChunk(tokens.slice(start, start + PROMPT_CHUNK));
    }
    return prediction!;
  }

  /** Reads the next tokens, few enough for the logits after all of them. @returns [tokens, vocab], owned by the caller */
  readEach(tokens: readonly number[]): tf.Tensor2D {
    return this.next(tokens, (ids, positions, forward) =>
      this.model.logits(hiddenOf(this.model, ids, positions, forward), forward),
    );
  }

  private readChunk(tokens: readonly number[]): Prediction {
    return this.next(tokens, (ids, positions, forward) => ({ ...predict(this.model, ids, positions, forward) }));
  }

  private next<T extends tf.TensorContainer>(
    tokens: readonly number[],
    compute: (ids: tf.Tensor2D, positions: tf.Tensor2D, forward: ForwardOptions) => T,
  ): T {
    const first = this.position;
    this.position += tokens.length;
    return tf.tidy(() => {
      const positions = row(tokens.map((_, i) => first + i));
      return compute(row(tokens), positions, { ...this.forward, cache: this.cache });
    });
  }

  dispose(): void {
    this.cache.dispose();
  }
}
