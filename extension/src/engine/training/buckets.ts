// Rounds the sizes of micro-batches up to a few buckets, since each shape needs a separate graph. The difference is
// padding: tokens of segment 0, and label rows of weight 0.
import type { RunShape } from './runShape.js';

/** The number of sequences that every micro-batch is padded to, and the longest sequence to expect. */
export type BucketSizes = Pick<RunShape, 'batchSize' | 'maxLength'>;

/** Bucket step of the sequence length: an eighth of the longest, rounded up to a multiple of 16. */
function lengthStep(maxLength: number): number {
  return Math.max(16, Math.ceil(maxLength / 8 / 16) * 16);
}

/** Bucket step of the label rows: a quarter of the tokens. */
const ROW_SHARE = 4;

/** The sizes that a graph is compiled for; they determine the shapes of a micro-batch's tensors. */
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
