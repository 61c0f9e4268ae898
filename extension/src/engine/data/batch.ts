// One micro-batch as plain arrays, row-major [batchSize, sequenceLength]. Created by batches.ts, converted to tensors by the
// training step; equal seeds and rows give equal batches on all machines.

export interface Batch {
  batchSize: number;
  sequenceLength: number;
  /** 0 on padding. */
  inputIds: Int32Array;
  /** IGNORE_LABEL where no loss is taken; aligned with inputIds (the shift by one happens in the loss). The first token of
   *  a segment is IGNORE_LABEL, since no earlier token may predict it. */
  labels: Int32Array;
  /** Position within the token's own example: 0, 1, 2, ... */
  positionIds: Int32Array;
  /** Number of the example within its sequence, from 1; 0 on padding. Tokens attend to their own segment only. */
  segmentIds: Int32Array;
  /** Cached input of the first trained layer, [batchSize * sequenceLength, hidden]. */
  states?: Float32Array;
  /** Tokens that are not padding. */
  numTokens: number;
  /** Positions whose label is not IGNORE_LABEL. */
  numLabelTokens: number;
}
