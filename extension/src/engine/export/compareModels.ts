// How far a written model is from the one that it was made of, token by token over some rows. Called by the certificate before a file
// is put in place. Both models are read from their files layer by layer, so that neither is in memory as a whole.
import * as tf from '@tensorflow/tfjs-core';
import type { EncodedExample } from '../../core/data/example.js';
import type { CausalLm, ForwardOptions } from '../models/causalLm.js';
import { divergences, logitChunks, logProbabilities, rowsOf, statesOfRows } from '../training/forgetting.js';

/** A model with or without an adapter. */
export interface ComparedModel {
  model: CausalLm;
  options: ForwardOptions;
}

/** Of each label token of the rows, in their order. */
export interface TokenDifferences {
  /** KL(reference || other), in nats. */
  divergences: Float32Array;
  /** 1 where both find the same token the likeliest, else 0. */
  sameBest: Uint8Array;
}

/** The reference beside each of the others. */
export async function tokenDifferences(
  reference: ComparedModel,
  others: readonly ComparedModel[],
  rows: readonly EncodedExample[],
): Promise<TokenDifferences[]> {
  const models = [reference, ...others];
  const states = models.map(({ model, options }) => statesOfRows(model, rows, options));
  const tokens = states[0]!.shape[0];
  const found = others.map(() => ({ divergences: new Float32Array(tokens), sameBest: new Uint8Array(tokens) }));
  for (const chunk of logitChunks(reference.model, tokens)) {
    const ofChunk = (i: number) => {
      const { model, options } = models[i]!;
      return tf.tidy(() => logProbabilities(model, rowsOf(states[i]!, chunk), options));
    };
    const expected = ofChunk(0);
    for (const [i, { divergences: kl, sameBest }] of found.entries()) {
      const parts = tf.tidy(() => {
        const other = ofChunk(i + 1);
        return [divergences(expected, other), tf.equal(tf.argMax(expected, 1), tf.argMax(other, 1))] as const;
      });
      const [ofTokens, same] = await Promise.all(parts.map(part => part.data()));
      kl.set(ofTokens!, chunk.start);
      sameBest.set(same!, chunk.start);
      tf.dispose([...parts]);
    }
    expected.dispose();
  }
  tf.dispose(states);
  return found;
}

/** Of nearly equal distributions, rounding may leave a mean just below 0. */
export function meanDivergence(divergences: Float32Array): number {
  return Math.max(0, divergences.reduce((sum, each) => sum + each, 0) / divergences.length);
}
