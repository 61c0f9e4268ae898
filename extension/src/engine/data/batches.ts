// Plans which rows form the micro-batches of an epoch, and lays out a micro-batch as arrays. Called by the trainer and by
// evaluation. A plan depends only on its options (including the generator), so a resumed run continues with the same batches.
import { IGNORE_LABEL, type EncodedExample } from '../../core/data/example.js';
import type { Batch } from './batch.js';
import type { Rng } from './rng.js';

/** Indices of rows for each sequence of a micro-batch. Without packing, a sequence is one row. */
export interface MicroBatchPlan {
  sequences: number[][];
}

export interface PlanOptions {
  dataset: { lengthOf(i: number): number };
  /** Rows to use, in file order. */
  indices: ArrayLike<number>;
  /** Sequences in a micro-batch; the last one may have fewer. */
  batchSize: number;
  /** Longest packed sequence, in tokens; rows are at most this long. */
  maxLength: number;
  packing: boolean;
  /** false: sequences and rows in file order. */
  shuffle: boolean;
  /** Determines the order if `shuffle` is set: `createRng(seed).fork('order').fork(String(epoch))`. */
  rng: Rng;
}

/** Rows that are packed together; larger windows fill better, smaller ones keep the shuffled order better. */
const WINDOW_ROWS = 1024;

/** The micro-batches of one epoch, each row in exactly one of them. */
export function planEpoch(options: PlanOptions): MicroBatchPlan[] {
  const { indices, batchSize, packing, shuffle, rng } = options;
  const order = Array.from(indices);
  if (shuffle) rng.shuffle(order);
  const sequences = packing ? pack(order, options) : order.map(row => [row]);
  const plans: MicroBatchPlan[] = [];
  for (let i = 0; i < sequences.length; i += batchSize) plans.push({ sequences: sequences.slice(i, i + batchSize) });
  return plans;
}

function pack(order: number[], { dataset, maxLength, shuffle, rng }: PlanOptions): number[][] {
  const lengthOf = (row: number) => dataset.lengthOf(row);
  if (!shuffle) return packInOrder(order, maxLength, lengthOf);
  const sequences: number[][] = [];
  for (let i = 0; i < order.length; i += WINDOW_ROWS) {
    const packed = packBestFit(order.slice(i, i + WINDOW_ROWS), maxLength, lengthOf);
    // Best fit puts the longest rows first, but an epoch must not begin with them.
    for (const sequence of rng.shuffle(packed)) sequences.push(sequence);
  }
  return sequences;
}

/** Next fit: a row goes into the current sequence or starts a new one, so that the order of rows is kept. */
export function packInOrder(
  order: readonly number[],
  maxLength: number,
  lengthOf: (row: number) => number,
): number[][] {
  const sequences: number[][] = [];
  let room = 0;
  for (const row of order) {
    const length = lengthOf(row);
    if (sequences.length === 0 || length > room) {
      sequences.push([]);
      room = maxLength;
    }
    sequences[sequences.length - 1].push(row);
    room -= length;
  }
  return sequences;
}

/** Best fit decreasing: the longest row first, each into the fullest sequence that has room for it. */
function packBestFit(rows: number[], maxLength: number, lengthOf: (row: number) => number): number[][] {
  const sequences: number[][] = [];
  /** Sequences by their remaining room. */
  const byRoom: number[][][] = Array.from({ length: maxLength + 1 }, () => []);
  for (const row of rows.slice().sort((a, b) => lengthOf(b) - lengthOf(a))) {
    const length = lengthOf(row);
    let room = length;
    while (room < maxLength && byRoom[room].length === 0) room++;
    let sequence = byRoom[room]?.pop();
    if (!sequence) {
      sequence = [];
      sequences.push(sequence);
      room = maxLength;
    }
    sequence.push(row);
    byRoom[room - length]?.push(sequence);
  }
  return sequences;
}

/** The batches of a plan, each laid out when it is needed. */
export function* batchesOf(
  plans: Iterable<MicroBatchPlan>,
  dataset: Parameters<typeof makeBatch>[1],
  options?: MakeBatchOptions,
): Generator<Batch> {
  for (const plan of plans) yield makeBatch(plan, dataset, options);
}

export interface MakeBatchOptions {
  /** Virtual tokens of a prompt method before each example; they don't count towards max_length. */
  virtualTokens?: number;
  /** Id of the first virtual token: the size of the model's vocabulary. The others follow it. */
  firstVirtualId?: number;
}

/**
 * Lays out a micro-batch: sequences padded on the right (id 0, segment 0) to the longest of them. In a sequence, each row is a
 * separate segment with positions from 0, virtual tokens included.
 */
export function makeBatch(
  plan: MicroBatchPlan,
  dataset: { get(i: number): EncodedExample; lengthOf(i: number): number },
  { virtualTokens = 0, firstVirtualId = 0 }: MakeBatchOptions = {},
): Batch {
  const batchSize = plan.sequences.length;
  const lengths = plan.sequences.map(rows => rows.reduce((sum, row) => sum + virtualTokens + dataset.lengthOf(row), 0));
  const sequenceLength = Math.max(...lengths);
  const size = batchSize * sequenceLength;
  const batch: Batch = {
    batchSize,
    sequenceLength,
    inputIds: new Int32Array(size),
    labels: new Int32Array(size).fill(IGNORE_LABEL),
    positionIds: new Int32Array(size),
    segmentIds: new Int32Array(size),
    numTokens: 0,
    numLabelTokens: 0,
  };
  plan.sequences.forEach((rows, s) => {
    let at = s * sequenceLength;
    rows.forEach((row, r) => {
      at = placeRow(batch, at, r + 1, dataset.get(row), virtualTokens, firstVirtualId);
    });
  });
  return batch;
}

/** Writes an example at `at` and returns the position after it. */
function placeRow(
  batch: Batch,
  at: number,
  segment: number,
  { inputIds, labels }: EncodedExample,
  virtualTokens: number,
  firstVirtualId: number,
): number {
  const length = virtualTokens + inputIds.length;
  for (let v = 0; v < virtualTokens; v++) batch.inputIds[at + v] = firstVirtualId + v;
  batch.inputIds.set(inputIds, at + virtualTokens);
  batch.labels.set(labels, at + virtualTokens);
  // No earlier token may predict the first one; after virtual tokens it is predicted, as in PEFT.
  if (virtualTokens === 0) batch.labels[at] = IGNORE_LABEL;
  for (let i = 0; i < length; i++) {
    batch.positionIds[at + i] = i;
    batch.segmentIds[at + i] = segment;
    if (batch.labels[at + i] !== IGNORE_LABEL) batch.numLabelTokens++;
  }
  batch.numTokens += inputIds.length;
  return at + length;
}
