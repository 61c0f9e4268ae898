// Quantized matrices: rounded like Python's `gguf` and dequantized to its values, bit for bit, eagerly and in a
// captured graph; GGUF's blocks taken over unchanged; products and look-ups with them, and their gradients.
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { openBackend } from '../../../../extension/src/engine/backend/openBackend.js';
import { CompiledFunction } from '../../../../extension/src/engine/capture/compiledFunction.js';
import { createRng } from '../../../../extension/src/engine/data/rng.js';
import {
  blockBytes,
  BLOCK_FORMATS,
  WeightBlocks,
  type BlockFormatName,
} from '../../../../extension/src/engine/files/weightBlocks.js';
import { gatherRows, linear } from '../../../../extension/src/engine/models/ops.js';
import {
  denseOf,
  QuantizedWeight,
  type WeightLayout,
} from '../../../../extension/src/engine/models/quantizedWeight.js';
import fixture from '../../../fixtures/gguf/quantized.json' with { type: 'json' };

const { rows: ROWS, columns: COLUMNS } = fixture;
const bytesOf = (text: string) => Uint8Array.from(Buffer.from(text, 'base64'));
const floatsOf = (text: string) => new Float32Array(bytesOf(text).buffer);
const bitsOf = (values: Float32Array) => new Uint32Array(Float32Array.from(values, value => value + 0).buffer);
const FORMATS = Object.keys(BLOCK_FORMATS) as BlockFormatName[];
const GGUF = { bfloat16: 'BF16', int8: 'Q8_0', int4: 'Q4_0', int4_minimum: 'Q4_1' } as const;

function random(shape: [number, number], seed: number): Float32Array {
  const rng = createRng(seed);
  return Float32Array.from({ length: shape[0] * shape[1] }, () => rng.normal());
}

const layoutOf = ({ format, shape }: WeightBlocks, changes: Partial<WeightLayout> = {}): WeightLayout => ({
  format,
  shape,
  precision: 'float32',
  transposed: false,
  ...changes,
});

/** A random matrix; for a format that values can't be rounded to, random GGUF blocks. */
function randomWeight(format: BlockFormatName, shape: [number, number], transposed = false): QuantizedWeight {
  const blocks = new WeightBlocks(format, shape);
  if (format !== 'int4_minimum') blocks.quantizeRows(0, random(shape, 1));
  else {
    const rng = createRng(2);
    const units = Math.ceil(shape[1] / 32);
    for (let row = 0; row < shape[0]; row++) {
      const stored = Uint8Array.from({ length: units * 20 }, () => rng.int(256));
      // Scale and minimum near 1 and -1.
      for (let unit = 0; unit < units; unit++) stored.set([0, 0x3c, rng.int(256), 0xbc], unit * 20);
      blocks.takeGgufRow(row, stored);
    }
  }
  return QuantizedWeight.of(blocks, layoutOf(blocks, { transposed }));
}

async function inGraph(f: () => tf.Tensor): Promise<Float32Array> {
  const graph = await CompiledFunction.compile([], () => [f()]);
  const [result] = graph.run([]);
  const values = result!.dataSync<'float32'>().slice();
  result!.dispose();
  graph.dispose();
  return values;
}

const valuesOf = (f: () => tf.Tensor) => {
  const result = tf.tidy(f);
  const values = result.dataSync<'float32'>().slice();
  result.dispose();
  return values;
};

beforeAll(() => openBackend({ backend: 'tensorflow', threads: null, onWarning: () => {} }));

describe('compared with Python’s gguf', () => {
  test.each(['bfloat16', 'int8', 'int4'] as const)('%s rounds to its values', async format => {
    const blocks = new WeightBlocks(format, [ROWS, COLUMNS]);
    const input = floatsOf(fixture.float32);
    // In two pieces, as a large matrix is read.
    blocks.quantizeRows(0, input.subarray(0, 2 * COLUMNS));
    blocks.quantizeRows(2, input.subarray(2 * COLUMNS));
    const weight = QuantizedWeight.of(blocks, layoutOf(blocks));
    const expected = bitsOf(floatsOf(fixture.cases[GGUF[format]].float32));
    expect(bitsOf(valuesOf(() => weight.dense()))).toEqual(expected);
    expect(bitsOf(await inGraph(() => weight.dense()))).toEqual(expected);
    weight.dispose();
  });

  test.each(['int8', 'int4', 'int4_minimum'] as const)('its blocks are taken over as %s', async format => {
    const { bytes, float32 } = fixture.cases[GGUF[format]];
    const stored = bytesOf(bytes);
    const blocks = new WeightBlocks(format, [ROWS, COLUMNS]);
    const rowBytes = stored.length / ROWS;
    for (let row = 0; row < ROWS; row++) blocks.takeGgufRow(row, stored.subarray(row * rowBytes, (row + 1) * rowBytes));
    const weight = QuantizedWeight.of(blocks, layoutOf(blocks));
    const expected = bitsOf(floatsOf(float32));
    expect(bitsOf(valuesOf(() => weight.dense()))).toEqual(expected);
    expect(bitsOf(await inGraph(() => weight.dense()))).toEqual(expected);
    weight.dispose();
  });
});

describe.each(FORMATS)('%s', format => {
  test('takes the documented share of float32’s memory', () => {
    const share = blockBytes(format, [64, 4096]) / (4 * 64 * 4096);
    expect(share).toBeCloseTo({ bfloat16: 16, int8: 8.5, int4: 4.5, int4_minimum: 5 }[format] / 32, 6);
  });

  // 40 columns end inside a block, 33 inside a word.
  test.each([40, 64, 33])('gives the products and rows of the dense matrix, %i columns', async columns => {
    const before = tf.memory().numTensors;
    for (const transposed of [false, true]) {
      const weight = randomWeight(format, [6, columns], transposed);
      const dense = valuesOf(() => denseOf(weight));
      const stored = valuesOf(() => weight.dense());
      const shape = (transposed ? [columns, 6] : [6, columns]) as [number, number];
      const indices = Int32Array.from([3, 0, 3]);
      expect(valuesOf(() => gatherRows(weight, tf.tensor1d(indices, 'int32')))).toEqual(
        valuesOf(() => tf.gather(tf.tensor2d(stored, [6, columns]), tf.tensor1d(indices, 'int32'))),
      );
      for (const conv1d of [false, true]) {
        const [inFeatures, outFeatures] = conv1d ? shape : shape.toReversed();
        const x = random([5, inFeatures!], 3);
        const dy = random([5, outFeatures!], 4);
        const both = (matrix: () => tf.Tensor2D | QuantizedWeight) => () => {
          const [y, dx] = [tf.tensor2d(x, [5, inFeatures!]), tf.tensor2d(dy, [5, outFeatures!])];
          const product = linear(y, matrix(), conv1d);
          const gradient = tf.grad(x => tf.sum(tf.mul(linear(x as tf.Tensor2D, matrix(), conv1d), dx)))(y);
          return tf.concat([tf.reshape(product, [-1]), tf.reshape(gradient, [-1])]);
        };
        const expected = valuesOf(both(() => tf.tensor2d(dense, shape)));
        const actual = [valuesOf(both(() => weight)), await inGraph(both(() => weight))];
        for (const values of actual) {
          const off = values.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]!)), 0);
          expect(off, `transposed ${transposed}, conv1d ${conv1d}`).toBeLessThan(1e-4);
        }
      }
      weight.dispose();
    }
    expect(tf.memory().numTensors).toBe(before);
  });
});

test('a matrix of more than 8,192 rows is multiplied piece by piece, with the same result', async () => {
  const before = tf.memory().numTensors;
  const rows = 2 * 8192 + 100;
  const weight = randomWeight('int8', [rows, 40]);
  const x = random([5, 40], 3);
  const dy = random([5, rows], 4);
  const both = (matrix: () => tf.Tensor2D | QuantizedWeight) => () => {
    const [input, weights] = [tf.tensor2d(x, [5, 40]), tf.tensor2d(dy, [5, rows])];
    const product = linear(input, matrix());
    const gradient = tf.grad(x => tf.sum(tf.mul(linear(x as tf.Tensor2D, matrix()), weights)))(input);
    return tf.concat([tf.reshape(product, [-1]), tf.div(tf.reshape(gradient, [-1]), 100)]);
  };
  const expected = valuesOf(both(() => denseOf(weight)));
  for (const values of [valuesOf(both(() => weight)), await inGraph(both(() => weight))]) {
    expect(values.length).toBe(expected.length);
    const off = values.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]!)), 0);
    expect(off).toBeLessThan(1e-4);
  }
  weight.dispose();
  expect(tf.memory().numTensors).toBe(before);
});
