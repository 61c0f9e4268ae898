// Assigns the losses of a batch to its rows and tokens. Called by training, `evaluate --dataset` and `rows`.
import { IGNORE_LABEL, type EncodedExample } from '../../core/data/example.js';
import type { Batch } from '../data/batch.js';
import type { MicroBatchPlan } from '../data/batches.js';
import { labelRows } from './crossEntropy.js';

/** The label tokens of one row, in order. */
export interface RowLosses {
  /** Number of the row in its dataset. */
  row: number;
  tokenIds: number[];
  losses: number[];
}

/** @param losses one for each label token, in the batch's order */
export function lossesByRow({ sequences }: MicroBatchPlan, batch: Batch, losses: Float32Array): RowLosses[] {
  const byRow = new Map<number, RowLosses>();
  for (const row of sequences.flat()) byRow.set(row, { row, tokenIds: [], losses: [] });
  const { rows, targets } = labelRows(batch);
  rows.forEach((before, i) => {
    // Segments are numbered from 1 in the order of a sequence's rows.
    const sequence = sequences[Math.floor(before / batch.sequenceLength)]!;
    const entry = byRow.get(sequence[batch.segmentIds[before + 1]! - 1]!)!;
    entry.tokenIds.push(targets[i]!);
    entry.losses.push(losses[i]!);
  });
  return [...byRow.values()];
}

/** Tokens of a row that have no loss, in order. */
export interface MaskedSpan {
  /** How many label tokens are before it. */
  at: number;
  tokenIds: number[];
}

/**
 * What is between the label tokens of a row, so that its losses can be read in its text.
 * @param labelTokens those with a loss; the first token of a row may be marked as one, but nothing predicts it
 */
export function maskedSpans({ inputIds, labels }: EncodedExample, labelTokens: number): MaskedSpan[] {
  const spans: MaskedSpan[] = [];
  let unpredicted = labels.filter(label => label !== IGNORE_LABEL).length - labelTokens;
  let at = 0;
  let span: MaskedSpan | null = null;
  inputIds.forEach((id, i) => {
    if (labels[i] !== IGNORE_LABEL && unpredicted-- <= 0) {
      at++;
      span = null;
      return;
    }
    if (span === null) spans.push((span = { at, tokenIds: [] }));
    span.tokenIds.push(id);
  });
  return spans;
}

/** The mean loss of each row of a batch, in the order of the plan. @param losses as for `lossesByRow` */
export function meanLosses({ sequences }: MicroBatchPlan, batch: Batch, losses: Float32Array): number[] {
  const { labels, segmentIds, sequenceLength } = batch;
  let next = 0;
  return sequences.flatMap((rows, s) => {
    const sums = rows.map(() => ({ loss: 0, tokens: 0 }));
    for (let i = s * sequenceLength + 1; i < (s + 1) * sequenceLength; i++) {
      if (labels[i] === IGNORE_LABEL) continue;
      const sum = sums[segmentIds[i]! - 1]!;
      sum.loss += losses[next++]!;
      sum.tokens++;
    }
    return sums.map(({ loss, tokens }) => loss / tokens);
  });
}

/** Mean over the label tokens of a row. */
export function meanLoss({ losses }: RowLosses): number {
  return losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
}

/** The `count` rows with the highest mean loss, highest first; of equal ones the first in the dataset. */
export function worstRows(rows: readonly RowLosses[], count: number): RowLosses[] {
  return rows.toSorted((a, b) => meanLoss(b) - meanLoss(a) || a.row - b.row).slice(0, count);
}
