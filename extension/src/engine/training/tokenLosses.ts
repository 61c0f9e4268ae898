// Assigns the losses of a scored batch to rows and tokens. Called by `evaluate --dataset`.
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

/** Mean over the label tokens of a row. */
export function meanLoss({ losses }: RowLosses): number {
  return losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
}

/** The `count` rows with the highest mean loss, highest first; of equal ones the first in the dataset. */
export function worstRows(rows: readonly RowLosses[], count: number): RowLosses[] {
  return rows.toSorted((a, b) => meanLoss(b) - meanLoss(a) || a.row - b.row).slice(0, count);
}
