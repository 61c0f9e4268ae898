import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, it } from 'vitest';
import { openBackend } from '../../../../extension/src/engine/backend/openBackend.js';
import { loadModel } from '../../../../extension/src/engine/models/loadModel.js';
import { SplitWeight } from '../../../../extension/src/engine/models/splitWeight.js';
import { openModelFiles } from '../../../../extension/src/engine/run/openModel.js';
import { silentReporter } from '../../../../extension/src/engine/run/reporter.js';
import { tenSteps } from '../../../../extension/src/engine/bench/tenSteps.js';

beforeAll(() => openBackend({ backend: 'tensorflow', threads: null, onWarning: () => {} }));

it('a matrix that is larger than a buffer is held in parts, and trains and decodes equally', async () => {
  const before = tf.memory().numTensors;
  const { files, architecture } = await openModelFiles('embedded:tiny', '.', silentReporter);
  const embedding = `${architecture.embedding}.weight`;
  const [rows, columns] = architecture.parameters.find(({ name }) => name === embedding)!.shape as [number, number];
  // Not a divisor of the rows: the last part is smaller.
  const largestTensor = 4 * columns * Math.ceil(rows / 3.5);
  const whole = loadModel(files);
  const split = loadModel(files, { largestTensor });
  files.close();
  const weight = split.weight(embedding) as SplitWeight;
  expect(weight).toBeInstanceOf(SplitWeight);
  expect(weight.words).toHaveLength(4);
  const read = async (f: () => tf.Tensor) => {
    const tensor = tf.tidy(f);
    const values = await tensor.data();
    tensor.dispose();
    return [...values];
  };
  const dense = whole.weight(embedding) as tf.Tensor2D;
  const indices = [0, rows - 1, 7, weight.pieceRows, weight.pieceRows - 1, 7];
  expect(await read(() => weight.denseRows(tf.tensor1d(indices, 'int32')))).toEqual(
    await read(() => tf.gather(dense, tf.tensor1d(indices, 'int32'))),
  );
  const start = weight.pieceRows - 2;
  expect(await read(() => weight.densePiece(start, 5))).toEqual(await read(() => tf.slice(dense, [start, 0], [5, -1])));
  expect((await tenSteps(split)).difference).toBeLessThan(1e-5);
  split.dispose();
  whole.dispose();
  expect(tf.memory().numTensors).toBe(before);
});
