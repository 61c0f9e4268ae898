// Products of matrices, dense and in blocks, compared with TensorFlow's.
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { createRng } from '../../../../../extension/src/engine/data/rng.js';
import {
  BLOCK_FORMATS,
  WeightBlocks,
  type BlockFormatName,
} from '../../../../../extension/src/engine/files/weightBlocks.js';
import { linear } from '../../../../../extension/src/engine/models/ops.js';
import { QuantizedWeight } from '../../../../../extension/src/engine/models/quantizedWeight.js';
import { expectEqual, largestDifference, open, random } from './againstPlainOps.js';

/** Rows, inner size, columns and matrices of each. */
const SIZES: [number, number, number, number[], number[]][] = [
  [1, 1, 1, [], []],
  [3, 5, 2, [], []],
  [33, 8, 36, [], []],
  [1, 300, 5, [], []],
  [2, 1030, 3, [], []],
  [5, 7, 9, [2], [2]],
  [4, 4, 8, [3, 2], [3, 2]],
  // Tiles of 64.
  [65, 3, 66, [16], [16]],
];

describe.each(SIZES)('%i x %i by %i, %j and %j times', (rows, inner, columns, batchA, batchB) => {
  it.each([
    [false, false],
    [false, true],
    [true, false],
    [true, true],
  ])('transposed: %s, %s', async (transposeA, transposeB) => {
    const shapes = [
      [...batchA, ...(transposeA ? [inner, rows] : [rows, inner])],
      [...batchB, ...(transposeB ? [columns, inner] : [inner, columns])],
    ];
    const op = (a?: tf.Tensor, b?: tf.Tensor) => tf.matMul(a!, b!, transposeA, transposeB);
    await expectEqual(shapes, op, op, 1e-5 * Math.sqrt(inner));
  });
});

// tfjs has no gradient for it.
it.each([
  [[2], [1]],
  [[1], [2]],
  [[], [2]],
])('matrices for %j and for %j', async (batchA, batchB) => {
  const run = async (backend: 'tensorflow' | 'webgpu') => {
    await open(backend);
    const y = tf.tidy(() => tf.matMul(random([...batchA, 6, 3], 'a'), random([...batchB, 3, 4], 'b')));
    const values = await y.data();
    y.dispose();
    return { shape: y.shape, values };
  };
  const expected = await run('tensorflow');
  const actual = await run('webgpu');
  expect(actual.shape).toEqual(expected.shape);
  expect(largestDifference(actual.values, expected.values)).toBeLessThan(1e-5);
});

/** A matrix in blocks, whose rows aren't whole blocks. */
function blocksOf(format: BlockFormatName, rows: number, columns: number): WeightBlocks {
  const rng = createRng(format);
  const blocks = new WeightBlocks(format, [rows, columns]);
  if (format === 'int4_minimum') {
    blocks.codes.forEach((_, i) => (blocks.codes[i] = rng.int(2 ** 31)));
    // float16 numbers of about 1.
    for (const part of blocks.parts) part.forEach((_, i) => (part[i] = 0x3c003800 + rng.int(0x300)));
  } else
    blocks.quantizeRows(
      0,
      Float32Array.from({ length: rows * columns }, () => rng.normal()),
    );
  return blocks;
}

describe.each(Object.keys(BLOCK_FORMATS) as BlockFormatName[])('a matrix in %s', format => {
  const shape = [37, 70] as const;

  describe.each([1, 3, 35])('multiplied by %i rows', rows => {
    it.each([false, true])('as Conv1D: %s', async conv1d => {
      const run = async (backend: 'tensorflow' | 'webgpu') => {
        await open(backend);
        const before = tf.memory().numTensors;
        const weight = QuantizedWeight.of(blocksOf(format, ...shape), {
          format,
          shape,
          precision: 'float32',
          transposed: false,
        });
        const results = tf.tidy(() => {
          const x = random([rows, shape[conv1d ? 0 : 1]], 'x') as tf.Tensor2D;
          const y = linear(x, weight, conv1d);
          const dy = random(y.shape, 'dy');
          const [gradient] = tf.grads((x: tf.Tensor) => tf.sum(tf.mul(linear(x as tf.Tensor2D, weight, conv1d), dy)))([
            x,
          ]);
          return [y, gradient!];
        });
        const values: Float32Array[] = [];
        for (const result of results) values.push(new Float32Array(await result.data()));
        tf.dispose(results);
        weight.dispose();
        expect(tf.memory().numTensors).toBe(before);
        return values;
      };
      const expected = await run('tensorflow');
      const actual = await run('webgpu');
      actual.forEach((values, i) => expect(largestDifference(values, expected[i]!)).toBeLessThan(5e-5));
    });
  });
});

describe('products of other types', () => {
  beforeAll(() => open('webgpu'));

  it('of no rows are empty', async () => {
    const result = tf.matMul(tf.zeros([0, 3]), tf.zeros([3, 2]));
    expect(result.shape).toEqual([0, 2]);
    expect([...(await result.data())]).toEqual([]);
    result.dispose();
  });
});
