// Kernels whose values must be TensorFlow's, bit for bit.
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, it } from 'vitest';
import { openBackend } from '../../../../../extension/src/engine/backend/openBackend.js';
import { createRng } from '../../../../../extension/src/engine/data/rng.js';
import {
  BLOCK_FORMATS,
  WeightBlocks,
  type BlockFormatName,
} from '../../../../../extension/src/engine/files/weightBlocks.js';
import { QuantizedWeight } from '../../../../../extension/src/engine/models/quantizedWeight.js';
import { seededDropout } from '../../../../../extension/src/engine/training/dropout.js';
import { useSoftwareGpu } from '../../../../support/softwareGpu.js';

useSoftwareGpu();

async function onBoth<T>(f: () => Promise<T>): Promise<{ tensorflow: T; webgpu: T }> {
  await openBackend({ backend: 'tensorflow', threads: null, onWarning: () => {} });
  const tensorflow = await f();
  await openBackend({ backend: 'webgpu', threads: null, onWarning: () => {} });
  return { tensorflow, webgpu: await f() };
}

beforeAll(() => openBackend({ backend: 'webgpu', threads: null, onWarning: () => {} }));

it.each([1, 2, 3, 4, 5, 255, 4097])('dropout of %i values has the masks of TensorFlow', async count => {
  const { tensorflow, webgpu } = await onBoth(async () => {
    const masks: number[] = [];
    for (const [seed, site] of [
      [0, 0],
      [1, 7],
      [2 ** 31 - 1, 12345],
    ] as const)
      masks.push(
        ...(await tf
          .tidy(() =>
            seededDropout(tf.mul(tf.scalar(1, 'int32'), tf.scalar(seed, 'int32')) as tf.Scalar)(
              tf.ones([count, 1]),
              0.4,
              site,
            ),
          )
          .data()),
      );
    return masks;
  });
  expect(webgpu).toEqual(tensorflow);
});

it.each(Object.keys(BLOCK_FORMATS) as BlockFormatName[])(
  'a matrix in %s has the values of TensorFlow',
  async format => {
    const rng = createRng(format);
    const shape = [5, 96] as const;
    const blocks = new WeightBlocks(format, shape);
    if (format === 'int4_minimum') {
      for (const array of [blocks.codes, ...blocks.parts])
        array.forEach((_, i) => (array[i] = rng.int(2 ** 14) * 60_000));
    } else
      blocks.quantizeRows(
        0,
        Float32Array.from({ length: 5 * 96 }, () => rng.next() - 0.5),
      );
    const { tensorflow, webgpu } = await onBoth(async () => {
      const weight = QuantizedWeight.of(blocks, { format, shape, precision: 'float32', transposed: false });
      const read = async (tensor: tf.Tensor) => [...(await tensor.data())];
      return [
        await read(tf.tidy(() => weight.dense())),
        await read(tf.tidy(() => weight.densePiece(1, 3))),
        await read(tf.tidy(() => weight.denseRows(tf.tensor1d([4, 0, 4], 'int32')))),
      ];
    });
    expect(webgpu).toEqual(tensorflow);
  },
);
