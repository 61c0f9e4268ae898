// Which rows make which micro-batch of an epoch, and the micro-batch as arrays. Called by the trainer and by evaluation.
// A plan follows from its options alone (the generator included), so a resumed run goes on with exactly the same batches.
import { IGNORE_LABEL, type EncodedExample } from '../../core/data/example.js';
import type { Batch } from './batch.js';
import type { Rng } from './rng.js';

/** Rows of the dataset, by number, for each sequence of a micro-batch. Without packing every sequence is one row. */
export interface MicroBatchPlan {
  sequences: number[][];
}

export interface PlanOptions {
  dataset: { lengthOf(i: number): number };
  /** Rows that take part, in file order. */
  indices: ArrayLike<number>;
  /** Sequences in a micro-batch; the last one may have fewer. */
  batchSize: number;
  /** Longest packed sequence, in tokens; rows are no longer than that already. */
  maxLength: number;
  packing: boolean;
  /** false: sequences and rows in file order. */
  shuffle: boolean;
  /** Gives the order where `shuffle` is set: `createRng(seed).fork('order').fork(String(epoch))`. */
  rng: Rng;
}

/** Rows that are packed together; larger windows fill better, smaller ones keep the shuffled order better. */
const windowRows = 1024;

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
  for (let i = 0; i < order.length; i += windowRows) {
    const packed = packBestFit(order.slice(i, i + windowRows), maxLength, lengthOf);
    // The longest rows come out first, which must not be what the epoch starts with.
    for (const sequence of rng.shuffle(packed)) sequences.push(sequence);
  }
  return sequences;
}

/** Next fit: a row goes into the open sequence or opens another, so that the order of rows stays. */
function packInOrder(order: number[], maxLength: number, lengthOf: (row: number) => number): number[][] {
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

/** Best fit decreasing: the longest row first, each into the fullest sequence that still has room for it. */
function packBestFit(rows: number[], maxLength: number, lengthOf: (row: number) => number): number[][] {
  const sequences: number[][] = [];
  /** Open sequences by the room that is left in them. */
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

/** The batches of a plan, each laid out when its turn comes. */
export function* batchesOf(
  plans: Iterable<MicroBatchPlan>,
  dataset: Parameters<typeof makeBatch>[1],
  options?: MakeBatchOptions,
): Generator<Batch> {
  for (const plan of plans) yield makeBatch(plan, dataset, options);
}

export interface MakeBatchOptions {
  /** Virtual tokens of a prompt-tuning method before each example; they don't count towards max_length. */
  virtualTokens?: number;
  /** Id of the first virtual token: the size of the model's vocabulary. The others follow it. */
  firstVirtualId?: number;
}

/**
 * Lays out a micro-batch: sequences side by side, padded on the right (id 0, segment 0) to the longest of them. In a
 * sequence each row is a segment of its own with positions from 0, virtual tokens counted.
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

/** Writes one example from `at` on and gives the position after it. */
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
  // Nothing before the first token may predict it. Behind virtual tokens the first real one is predicted, as in PEFT.
  if (virtualTokens === 0) batch.labels[at] = IGNORE_LABEL;
  for (let i = 0; i < length; i++) {
    batch.positionIds[at + i] = i;
    batch.segmentIds[at + i] = segment;
    if (batch.labels[at + i] !== IGNORE_LABEL) batch.numLabelTokens++;
  }
  batch.numTokens += inputIds.length;
  return at + length;
}
