// How far a written model is from the one that it was made of: the mean KL divergence per token over some rows. Called by `merge`
// before a file is put in place. Both models are read from their files layer by layer, so that neither is in memory as a whole.
import * as tf from '@tensorflow/tfjs-core';
import type { EncodedExample } from '../../core/data/example.js';
import type { CausalLm, ForwardOptions } from '../models/causalLm.js';
import { divergences, logitChunks, logProbabilities, rowsOf, statesOfRows } from '../training/forgetting.js';

/** A model with or without an adapter. */
export interface ComparedModel {
  model: CausalLm;
  options: ForwardOptions;
}

/**
 * KL(reference || other) for each of the others, in nats per token: the mean over the label tokens of the rows.
 */
export async function divergencesFrom(
  reference: ComparedModel,
  others: readonly ComparedModel[],
  rows: readonly EncodedExample[],
): Promise<number[]> {
  const models = [reference, ...others];
  const states = models.map(({ model, options }) => statesOfRows(model, rows, options));
  const tokens = states[0]!.shape[0];
  const sums = others.map(() => 0);
  for (const chunk of logitChunks(reference.model, tokens)) {
    const ofChunk = (i: number) => {
      const { model, options } = models[i]!;
      return tf.tidy(() => logProbabilities(model, rowsOf(states[i]!, chunk), options));
    };
    const expected = ofChunk(0);
    for (const i of others.keys()) {
      const sum = tf.tidy(() => {
        const found = ofChunk(i + 1);
        return tf.sum(divergences(expected, found));
      });
      sums[i]! += (await sum.data())[0]!;
      sum.dispose();
    }
    expected.dispose();
  }
  tf.dispose(states);
  // Of nearly equal distributions, rounding may leave a sum just below 0.
  return sums.map(sum => Math.max(0, sum / tokens));
}
