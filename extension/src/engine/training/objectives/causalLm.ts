// Next-token prediction: cross entropy over the label positions of a batch, computed by crossEntropy.ts.
import type * as tf from '@tensorflow/tfjs-core';
import { labelRows, score, summedLoss, type LabelTensors } from '../crossEntropy.js';
import type { Objective } from './objective.js';

export interface TokenScore {
  /** One for each label token, in the batch's order. */
  losses: Float32Array;
  /** Label tokens that the model predicts. */
  correct: number;
}

interface TokenSums {
  loss: number;
  correct: number;
  tokens: number;
}

const meanLoss = ({ loss, tokens }: TokenSums) => loss / tokens;

export const causalLm: Objective<keyof LabelTensors, TokenScore, TokenSums> = {
  name: 'causal_lm',
  title: 'Next token',
  examples: ['chat', 'completion', 'text', 'tokenized'],
  tensors: {
    rows: { dtype: 'int32', dims: ['rowCount'] },
    targets: { dtype: 'int32', dims: ['rowCount'] },
    weights: { dtype: 'float32', dims: ['rowCount'] },
  },
  sizes: ({ batchSize, sequenceLength, numLabelTokens }) => ({ batchSize, sequenceLength, rowCount: numLabelTokens }),
  layOut(batch, { sequenceLength, rowCount }) {
    const own = labelRows(batch);
    const rows = new Int32Array(rowCount);
    own.rows.forEach((row, i) => {
      const sequence = Math.floor(row / batch.sequenceLength);
      rows[i] = sequence * sequenceLength + (row % batch.sequenceLength);
    });
    const targets = new Int32Array(rowCount);
    targets.set(own.targets);
    // Padding rows read the first state and have weight 0.
    return { rows, targets, weights: new Float32Array(rowCount).fill(1, 0, own.rows.length) };
  },
  weight: batch => batch.numLabelTokens,
  summedLoss: ({ model, hidden, tensors, options, onTokenLosses }) =>
    summedLoss(model, hidden, labelsOf(tensors), options, onTokenLosses),
  score: ({ model, hidden, tensors, options }) => score(model, hidden, labelsOf(tensors), options),
  readScore: ({ losses, correct }, batch) => ({
    losses: losses!.subarray(0, batch.numLabelTokens),
    correct: correct![0]!,
  }),
  noScores: () => ({ loss: 0, correct: 0, tokens: 0 }),
  addScore(sums, { losses, correct }) {
    for (const value of losses) sums.loss += value;
    sums.correct += correct;
    sums.tokens += losses.length;
  },
  loss: meanLoss,
  metrics: [
    {
      name: 'perplexity',
      title: 'Perplexity',
      better: 'lower',
      unit: 'number',
      follows_loss: true,
      // Beyond e^709 it would be Infinity, which JSON doesn't have.
      of: sums => Math.min(Math.exp(meanLoss(sums)), Number.MAX_VALUE),
    },
    {
      name: 'token_accuracy',
      title: 'Token accuracy',
      better: 'higher',
      unit: 'share',
      follows_loss: false,
      of: ({ correct, tokens }) => correct / tokens,
    },
  ],
};

function labelsOf(tensors: Readonly<Record<keyof LabelTensors, tf.Tensor>>): LabelTensors {
  return tensors as unknown as LabelTensors;
}
