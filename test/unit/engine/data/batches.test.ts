import { describe, expect, test } from 'vitest';
import type { EncodedExample } from '../../../../extension/src/core/data/example.js';
import { makeBatch, planEpoch, type PlanOptions } from '../../../../extension/src/engine/data/batches.js';
import { createRng } from '../../../../extension/src/engine/data/rng.js';

/** Row i has `lengths[i]` tokens, 100 * i + position; all of them are labels. */
function datasetOf(lengths: number[]) {
  return {
    lengthOf: (i: number) => lengths[i],
    get(i: number): EncodedExample {
      const inputIds = Int32Array.from({ length: lengths[i] }, (_, t) => 100 * i + t);
      return { inputIds, labels: inputIds.slice() };
    },
  };
}

function plan(lengths: number[], options: Partial<PlanOptions> = {}) {
  return planEpoch({
    dataset: datasetOf(lengths),
    indices: lengths.map((_, i) => i),
    batchSize: 2,
    maxLength: 8,
    packing: false,
    shuffle: false,
    rng: createRng(1),
    ...options,
  }).map(({ sequences }) => sequences);
}

describe('planEpoch', () => {
  test('without packing: one row per sequence, the last batch may be smaller', () => {
    expect(plan([3, 4, 5, 6, 7])).toEqual([[[0], [1]], [[2], [3]], [[4]]]);
    expect(plan([3, 4, 5], { indices: Int32Array.of(2, 0) })).toEqual([[[2], [0]]]);
  });

  test('shuffled: each row once, in an order that depends on the generator only', () => {
    const lengths = Array.from({ length: 40 }, () => 3);
    const first = plan(lengths, { shuffle: true });
    expect(first.flat(2).sort((a, b) => a - b)).toEqual(lengths.map((_, i) => i));
    expect(plan(lengths, { shuffle: true })).toEqual(first);
    expect(plan(lengths, { shuffle: true, rng: createRng(2) })).not.toEqual(first);
  });

  test('packed in file order: a sequence is filled until the next row does not fit', () => {
    expect(plan([3, 5, 1, 8, 2, 2], { packing: true })).toEqual([
      [[0, 1], [2]],
      [[3], [4, 5]],
    ]);
  });

  test('packed and shuffled: each row once, no sequence longer than max_length, well filled', () => {
    const rng = createRng(3);
    const lengths = Array.from({ length: 3000 }, () => 1 + rng.int(300));
    const options = { packing: true, shuffle: true, maxLength: 512, batchSize: 4 };
    const sequences = plan(lengths, options).flat();
    expect(sequences.flat().sort((a, b) => a - b)).toEqual(lengths.map((_, i) => i));
    const filled = sequences.map(rows => rows.reduce((sum, row) => sum + lengths[row], 0));
    expect(Math.max(...filled)).toBeLessThanOrEqual(512);
    const total = lengths.reduce((sum, length) => sum + length, 0);
    expect(total / (512 * sequences.length)).toBeGreaterThan(0.98);
    expect(plan(lengths, options).flat()).toEqual(sequences);
  });

  test('long rows are not concentrated at the beginning of a packed epoch', () => {
    const lengths = Array.from({ length: 1000 }, (_, i) => (i % 10 === 0 ? 500 : 20));
    const sequences = plan(lengths, { packing: true, shuffle: true, maxLength: 512 }).flat();
    const longInFirstHalf = sequences.slice(0, sequences.length / 2).filter(rows => rows.some(row => row % 10 === 0));
    expect(longInFirstHalf.length).toBeLessThan(80);
  });
});

describe('makeBatch', () => {
  test('pads to the longest sequence; packed rows have their own segments and positions', () => {
    const batch = makeBatch({ sequences: [[0, 2], [1]] }, datasetOf([2, 3, 2]));
    expect([batch.batchSize, batch.sequenceLength, batch.numTokens, batch.numLabelTokens]).toEqual([2, 4, 7, 4]);
    expect([...batch.inputIds]).toEqual([0, 1, 200, 201, 100, 101, 102, 0]);
    expect([...batch.labels]).toEqual([-100, 1, -100, 201, -100, 101, 102, -100]);
    expect([...batch.positionIds]).toEqual([0, 1, 0, 1, 0, 1, 2, 0]);
    expect([...batch.segmentIds]).toEqual([1, 1, 2, 2, 1, 1, 1, 0]);
  });

  test('virtual tokens precede each row, with positions, without loss; the first real token is predicted', () => {
    const options = { virtualTokens: 2, firstVirtualId: 900 };
    const batch = makeBatch({ sequences: [[0, 1]] }, datasetOf([2, 1]), options);
    expect([...batch.inputIds]).toEqual([900, 901, 0, 1, 900, 901, 100]);
    expect([...batch.labels]).toEqual([-100, -100, 0, 1, -100, -100, 100]);
    expect([...batch.positionIds]).toEqual([0, 1, 2, 3, 0, 1, 2]);
    expect([...batch.segmentIds]).toEqual([1, 1, 1, 1, 2, 2, 2]);
    expect([batch.numTokens, batch.numLabelTokens]).toEqual([3, 3]);
  });
});
