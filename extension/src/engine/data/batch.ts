// One micro-batch as plain arrays, row-major [batchSize, sequenceLength]. Made by the packer, turned into tensors by the
// training step; equal seeds and rows give equal batches on every machine.

export interface Batch {
  batchSize: number;
  sequenceLength: number;
  /** 0 on padding. */
  inputIds: Int32Array;
  /** IGNORE_LABEL where no loss is taken; aligned with inputIds (the shift by one happens in the loss). The first token
   *  of every segment is IGNORE_LABEL, since nothing before it may predict it. */
  labels: Int32Array;
  /** Position within the token's own example: 0, 1, 2, ... */
  positionIds: Int32Array;
  /** Number of the example within its sequence, from 1; 0 on padding. Tokens only see tokens of their own segment. */
  segmentIds: Int32Array;
  /** What the lowest trained layer reads, [batchSize * sequenceLength, hidden], where that was kept. */
  states?: Float32Array;
  /** Tokens that are not padding. */
  numTokens: number;
  /** Positions whose label is not IGNORE_LABEL. */
  numLabelTokens: number;
}
