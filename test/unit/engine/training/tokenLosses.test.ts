// Losses of single tokens: captured and eager scores are equal, and each loss belongs to its row and token.
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, test } from 'vitest';
import { openBackend } from '../../../../extension/src/engine/backend/openBackend.js';
import { makeBatch } from '../../../../extension/src/engine/data/batches.js';
import { CapturedGraphs } from '../../../../extension/src/engine/training/capturedGraphs.js';
import { capturedScore } from '../../../../extension/src/engine/training/capturedScore.js';
import { modelInput } from '../../../../extension/src/engine/training/microBatch.js';
import { causalLm } from '../../../../extension/src/engine/training/objectives/causalLm.js';
import {
  lossesByRow,
  maskedSpans,
  meanLoss,
  meanLosses,
  worstRows,
} from '../../../../extension/src/engine/training/tokenLosses.js';
import { scoreBatch } from '../../../../extension/src/engine/training/trainingStep.js';
import { tinyModel } from '../../../support/tinyModels.js';

beforeAll(async () => {
  await openBackend({ backend: 'tensorflow', threads: null, onWarning: () => {} });
});

const ROWS = [
  { inputIds: [5, 9, 30, 2, 17], labels: [-100, -100, 30, 2, 17] },
  { inputIds: [7, 7, 8], labels: [7, 7, 8] },
  { inputIds: [22, 3, 40, 8], labels: [22, -100, 40, 8] },
].map(({ inputIds, labels }) => ({ inputIds: Int32Array.from(inputIds), labels: Int32Array.from(labels) }));
const DATASET = { get: (i: number) => ROWS[i]!, lengthOf: (i: number) => ROWS[i]!.inputIds.length };
/** Rows 2 and 0 are packed, row 1 is alone. */
const PLAN = { sequences: [[2, 0], [1]] };

test('each label token has the same loss as in its row alone', async () => {
  const before = tf.memory().numTensors;
  const model = tinyModel('llama');
  const batch = makeBatch(PLAN, DATASET);
  const graphs = new CapturedGraphs();
  const scored = { objective: causalLm, model, adapter: null };
  const scores = [
    await scoreBatch(scored, {}, batch),
    await capturedScore(graphs, scored, batch, { batchSize: 4, maxLength: 64 }),
  ];
  for (const { losses } of scores) {
    const rows = lossesByRow(PLAN, batch, losses);
    expect(rows.map(({ row }) => row)).toEqual([2, 0, 1]);
    meanLosses(PLAN, batch, losses).forEach((mean, i) => expect(mean).toBeCloseTo(meanLoss(rows[i]!), 10));
    expect(rows.map(({ tokenIds }) => tokenIds)).toEqual([
      [40, 8],
      [30, 2, 17],
      [7, 8],
    ]);
    for (const { row, losses } of rows) {
      const alone = makeBatch({ sequences: [[row]] }, DATASET);
      const probabilities = tf.tidy(() => tf.softmax(model.logits(model.forward(modelInput(alone)))).arraySync());
      const expected = [...alone.labels.keys()]
        .filter(at => alone.labels[at] !== -100)
        .map(at => -Math.log((probabilities as number[][])[at - 1]![alone.labels[at]!]!));
      losses.forEach((loss, i) => expect(loss, `row ${row}, token ${i}`).toBeCloseTo(expected[i]!, 4));
    }
  }
  graphs.dispose();
  model.dispose();
  expect(tf.memory().numTensors).toBe(before);
});

test('the worst rows are those with the highest mean, equal ones in file order', () => {
  const rows = [[1, 2], [4], [0.5, 0.5, 9], [4, 4], [3]].map((losses, row) => ({ row, tokenIds: [], losses }));
  expect(worstRows(rows.toReversed(), 3).map(({ row }) => row)).toEqual([1, 3, 2]);
  expect(worstRows(rows, 9)).toHaveLength(5);
});

test('tokens without a loss are known by the label tokens before them', () => {
  const spans = (row: number, labelTokens: number) => maskedSpans(ROWS[row]!, labelTokens);
  expect(spans(0, 3)).toEqual([{ at: 0, tokenIds: [5, 9] }]);
  // The first token of a row is marked as a label, but nothing predicts it, unless virtual tokens are before it.
  expect(spans(1, 2)).toEqual([{ at: 0, tokenIds: [7] }]);
  expect(spans(1, 3)).toEqual([]);
  expect(spans(2, 2)).toEqual([{ at: 0, tokenIds: [22, 3] }]);
  expect(spans(2, 3)).toEqual([{ at: 1, tokenIds: [3] }]);
});
