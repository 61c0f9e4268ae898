// Shapes of micro-batches rounded up to a few sizes, since each shape is a graph of its own. What is added is padding:
// tokens of segment 0, and label rows of weight 0.
import type { RunShape } from './runShape.js';
import { statesWidth, type MicroBatch } from './stepMath.js';

/** Sequences that every micro-batch is filled up to, and the longest sequence to expect. */
export type BucketSizes = Pick<RunShape, 'batchSize' | 'maxLength'>;

/** Steps of the sequence length: an eighth of the longest, in multiples of 16. */
function lengthStep(maxLength: number): number {
  return Math.max(16, Math.ceil(maxLength / 8 / 16) * 16);
}

/** Label rows go in quarters of the tokens. */
const ROW_SHARE = 4;

/** What a graph is made for. */
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

export function roundUpToBucket(batch: MicroBatch, sizes: BucketSizes): MicroBatch {
  const { batchSize, sequenceLength, rowCount } = bucketOf({ ...batch, rowCount: batch.rows.length }, sizes);
  /** @param width values of a token */
  const widened = <T extends Int32Array | Float32Array>(values: T, padded: T, width = 1): T => {
    const from = batch.sequenceLength * width;
    for (let b = 0; b < batch.batchSize; b++)
      padded.set(values.subarray(b * from, (b + 1) * from), b * sequenceLength * width);
    return padded;
  };
  const grid = (values: Int32Array) => widened(values, new Int32Array(batchSize * sequenceLength));
  const width = statesWidth(batch);
  const rows = new Int32Array(rowCount);
  batch.rows.forEach((row, i) => {
    const sequence = Math.floor(row / batch.sequenceLength);
    rows[i] = sequence * sequenceLength + (row % batch.sequenceLength);
  });
  const targets = new Int32Array(rowCount);
  targets.set(batch.targets);
  const weights = new Float32Array(rowCount);
  weights.set(batch.weights);
  return {
    ...batch,
    batchSize,
    sequenceLength,
    inputIds: grid(batch.inputIds),
    positionIds: grid(batch.positionIds),
    segmentIds: grid(batch.segmentIds),
    states: batch.states && widened(batch.states, new Float32Array(batchSize * sequenceLength * width), width),
    rows,
    targets,
    weights,
  };
}
