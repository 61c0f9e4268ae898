// Loss and metrics of an objective on validation rows.
import { setImmediate } from 'node:timers/promises';
import { CodedError } from '../../core/codedError.js';
import type { Batch } from '../data/batch.js';
import type { Objective } from './objectives/objective.js';

export interface Evaluation {
  loss: number;
  /** The objective's metrics, by name. */
  metrics: Record<string, number>;
  numLabelTokens: number;
}

/** Evaluates batches. Yields to the event loop between them, so that signals and progress get through. */
export async function evaluate<Score>(
  objective: Objective<any, Score>,
  score: (batch: Batch) => Promise<Score>,
  batches: Iterable<Batch>,
  onBatch?: (score: Score, batch: Batch) => void,
): Promise<Evaluation> {
  const sums = objective.noScores();
  let numLabelTokens = 0;
  for (const batch of batches) {
    const scored = await score(batch);
    objective.addScore(sums, scored, batch);
    numLabelTokens += batch.numLabelTokens;
    onBatch?.(scored, batch);
    await setImmediate();
  }
  const metrics = Object.fromEntries(objective.metrics.map(({ name, of }) => [name, of(sums)]));
  return { loss: objective.loss(sums), metrics, numLabelTokens };
}

/** The error for a loss that a weight of `file` makes NaN or infinite. @param what which loss */
export function nonFiniteLoss(what: string, file: string): CodedError {
  return new CodedError('diverged', `${what} is non-finite`, {
    file,
    hint: 'A weight of it is NaN or infinite: download it again, or train it with a lower learning rate.',
  });
}
