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

/** Of one batch: summed loss, and label tokens that the model would have chosen. */
export interface BatchScore {
  loss: number;
  correct: number;
}

/** Gives way to the event loop between batches, so that signals and progress get through. */
export async function evaluate(
  score: (batch: Batch) => Promise<BatchScore>,
  batches: Iterable<Batch>,
  onBatch?: () => void,
): Promise<Evaluation> {
  let loss = 0;
  let correct = 0;
  let numLabelTokens = 0;
  for (const batch of batches) {
    const scored = await score(batch);
    loss += scored.loss;
    correct += scored.correct;
    numLabelTokens += batch.numLabelTokens;
    onBatch?.();
    await setImmediate();
  }
  const mean = loss / numLabelTokens;
  // Beyond e^709 there is only Infinity, which JSON doesn't have.
  const perplexity = Math.min(Math.exp(mean), Number.MAX_VALUE);
  return { loss: mean, perplexity, tokenAccuracy: correct / numLabelTokens, numLabelTokens };
}
