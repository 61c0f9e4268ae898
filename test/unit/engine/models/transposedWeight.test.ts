// Models whose matrices are held transposed compute what those with stored matrices do, in as many bytes.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openBackend } from '../../../../extension/src/engine/backend/openBackend.js';
import { openHuggingFaceFolder } from '../../../../extension/src/engine/files/huggingfaceFolder.js';
import type { CausalLm } from '../../../../extension/src/engine/models/causalLm.js';
import { loadModel } from '../../../../extension/src/engine/models/loadModel.js';
import { denseOf } from '../../../../extension/src/engine/models/quantizedWeight.js';
import { modelFamilies } from '../../../../extension/src/engine/models/registry.js';
import { TransposedWeight } from '../../../../extension/src/engine/models/transposedWeight.js';
import { writeTinyModel } from '../../../support/tinyModels.js';

const path = mkdtempSync(join(tmpdir(), 'tunewright-transposed-'));
afterAll(() => rmSync(path, { recursive: true }));

beforeAll(async () => {
  await openBackend({ backend: 'tensorflow', threads: null, onWarning: () => {} });
});

function logitsOf(model: CausalLm): tf.Tensor2D {
  const ids = tf.tensor2d([[3, 1, 4, 1, 5]], undefined, 'int32');
  const input = {
    inputIds: ids,
    positionIds: tf.tensor2d([[0, 1, 2, 3, 4]], undefined, 'int32'),
    segmentIds: tf.onesLike(ids),
  };
  return model.logits(model.forward(input));
}

const cases = modelFamilies.flatMap(({ modelType }) =>
  [true, false].map(tied => ({ modelType, tied, changes: { tie_word_embeddings: tied } })),
);

test.each(cases)('$modelType, tied head: $tied', ({ modelType, tied, changes }) => {
  const before = tf.memory().numTensors;
  const files = openHuggingFaceFolder(writeTinyModel(join(path, `${modelType}-${tied}`), { modelType, changes }), '');
  const [stored, transposed] = [loadModel(files), loadModel(files, { transposed: true })];
  const { architecture } = stored;
  const held = architecture.linears.filter(
    ({ name, conv1d }) => !conv1d && !(architecture.tieWordEmbeddings && name === architecture.head),
  );
  for (const { name } of architecture.parameters) {
    const weight = transposed.weight(name);
    expect(weight instanceof TransposedWeight, name).toBe(held.some(module => name === `${module.name}.weight`));
    const off = tf.tidy(() => tf.max(tf.abs(tf.sub(denseOf(weight), denseOf(stored.weight(name))))).arraySync());
    expect(off, name).toBe(0);
  }
  const off = tf.tidy(() => {
    const expected = logitsOf(stored);
    return tf.div(tf.max(tf.abs(tf.sub(logitsOf(transposed), expected))), tf.max(tf.abs(expected))).arraySync();
  });
  expect(off).toBeLessThan(1e-5);
  expect(transposed.weightBytes).toBe(stored.weightBytes);
  for (const model of [stored, transposed]) model.dispose();
  files.close();
  expect(tf.memory().numTensors).toBe(before);
});
