// Loss, perplexity and token accuracy on held-out rows, each the mean over all their label tokens.
import { setImmediate } from 'node:timers/promises';
import type { Batch } from '../data/batch.js';

export interface Evaluation {
  loss: number;
  perplexity: number;
  /** Share of the label tokens that the model would have chosen itself. */
  tokenAccuracy: number;
  numLabelTokens: number;
}

export interface BatchScore {
  /** Of each label token, in the batch's order. */
  losses: Float32Array;
  /** Label tokens that the model would have chosen. */
  correct: number;
}

/** Gives way to the event loop between batches, so that signals and progress get through. */
export async function evaluate(
  score: (batch: Batch) => Promise<BatchScore>,
  batches: Iterable<Batch>,
  onBatch?: (score: BatchScore, batch: Batch) => void,
): Promise<Evaluation> {
  let loss = 0;
  let correct = 0;
  let numLabelTokens = 0;
  for (const batch of batches) {
    const scored = await score(batch);
    for (const value of scored.losses) loss += value;
    correct += scored.correct;
    numLabelTokens += batch.numLabelTokens;
    onBatch?.(scored, batch);
    await setImmediate();
  }
  const mean = loss / numLabelTokens;
  // Beyond e^709 there is only Infinity, which JSON doesn't have.
  const perplexity = Math.min(Math.exp(mean), Number.MAX_VALUE);
  return { loss: mean, perplexity, tokenAccuracy: correct / numLabelTokens, numLabelTokens };
}
