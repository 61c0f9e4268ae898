// A matrix that stays in its file gives the products and rows of the same matrix in memory, and no use reads more of it at a time than
// a piece.
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, test } from 'vitest';
import { openBackend } from '../../../../extension/src/engine/backend/openBackend.js';
import type { StoredTensor } from '../../../../extension/src/engine/files/tensorSource.js';
import { gatherRows, linear } from '../../../../extension/src/engine/models/ops.js';
import { denseOf } from '../../../../extension/src/engine/models/quantizedWeight.js';
import { StoredWeight } from '../../../../extension/src/engine/models/storedWeight.js';

// Three pieces.
const [ROWS, COLUMNS] = [2051, 512];
const values = Float32Array.from({ length: ROWS * COLUMNS }, (_, i) => Math.sin(i));
const largest = { rows: 0 };
const stored = {
  shape: [ROWS, COLUMNS],
  readFloat32: () => values.slice(),
  readRows: (first: number, count: number) => {
    largest.rows = Math.max(largest.rows, count);
    return values.slice(first * COLUMNS, (first + count) * COLUMNS);
  },
} as unknown as StoredTensor;
const weight = new StoredWeight(stored);
const dense = () => tf.tensor2d(values, [ROWS, COLUMNS]);
const valuesOf = (f: () => tf.Tensor) => tf.tidy(() => f().dataSync<'float32'>().slice());

beforeAll(() => openBackend({ backend: 'tensorflow', threads: null, onWarning: () => {} }));

test('its pieces are its values, in order', () => {
  const pieces = [...weight.pieces()];
  expect(pieces.length).toBe(3);
  expect(Float32Array.from(pieces.flatMap(piece => [...piece]))).toEqual(values);
  expect(valuesOf(() => denseOf(weight))).toEqual(values);
});

test('rows of every piece, one of them twice', () => {
  const indices = () => tf.tensor1d([2050, 0, 1023, 1024, 2047, 2048, 1024], 'int32');
  const before = tf.memory().numTensors;
  expect(valuesOf(() => gatherRows(weight, indices()))).toEqual(valuesOf(() => tf.gather(dense(), indices())));
  expect(tf.memory().numTensors).toBe(before);
});

test.each([1, 5])('products of %i rows', rows => {
  for (const conv1d of [false, true]) {
    const x = () => tf.randomUniform([rows, conv1d ? ROWS : COLUMNS], -1, 1, 'float32', 7) as tf.Tensor2D;
    const [found, expected] = [weight, null].map(each => valuesOf(() => linear(x(), each ?? dense(), conv1d)));
    found!.forEach((value, i) => expect(value, `value ${i}, conv1d ${conv1d}`).toBeCloseTo(expected![i]!, 3));
  }
});

test('no use but that of the whole reads more than a piece', () => {
  expect(largest.rows).toBe(1024);
});
