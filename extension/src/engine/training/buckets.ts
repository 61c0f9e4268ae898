// Sizes of micro-batches rounded up to a few, since each shape is a graph of its own. What is added is padding: tokens of
// segment 0, and label rows that weigh nothing.
import type { RunShape } from './runShape.js';

/** Sequences that every micro-batch is filled up to, and the longest sequence to expect. */
export type BucketSizes = Pick<RunShape, 'batchSize' | 'maxLength'>;

/** Steps of the sequence length: an eighth of the longest, in multiples of 16. */
function lengthStep(maxLength: number): number {
  return Math.max(16, Math.ceil(maxLength / 8 / 16) * 16);
}

/** Label rows go in quarters of the tokens. */
const ROW_SHARE = 4;

/** What a graph is made for; the sizes that tensors of a micro-batch are described by. */
export interface Bucket {
  batchSize: number;
  sequenceLength: number;
  /** Label rows. */
  rowCount: number;
}

/** The bucket that a micro-batch of this shape falls into. */
export function bucketOf(batch: Bucket, sizes: BucketSizes): Bucket {
  const batchSize = Math.max(batch.batchSize, sizes.batchSize);
  const step = lengthStep(sizes.maxLength);
  const sequenceLength = Math.ceil(batch.sequenceLength / step) * step;
  const rowStep = Math.max(16, Math.ceil((batchSize * sequenceLength) / ROW_SHARE));
  const rowCount = Math.max(1, Math.ceil(batch.rowCount / rowStep)) * rowStep;
  return { batchSize, sequenceLength, rowCount };
}
