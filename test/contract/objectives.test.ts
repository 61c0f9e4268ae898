// The contract of every objective of the registry: it makes the tensors that it declares, padding to a bucket changes
// nothing, and captured steps and scores equal the eager ones.
import { readdirSync, readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { datasetFormats } from '../../extension/src/core/data/formats/registry.js';
import { openBackend } from '../../extension/src/engine/backend/openBackend.js';
import { makeBatch } from '../../extension/src/engine/data/batches.js';
import { createRng } from '../../extension/src/engine/data/rng.js';
import { Adapter } from '../../extension/src/engine/peft/adapter.js';
import { AttachedMethod } from '../../extension/src/engine/peft/attachedMethod.js';
import { peftMethods } from '../../extension/src/engine/peft/registry.js';
import { AdamW } from '../../extension/src/engine/training/adamW.js';
import { bucketOf } from '../../extension/src/engine/training/buckets.js';
import { CapturedStep } from '../../extension/src/engine/training/capturedStep.js';
import { evaluate } from '../../extension/src/engine/training/evaluate.js';
import { batchSpecs, batchTensors } from '../../extension/src/engine/training/microBatch.js';
import { objectives } from '../../extension/src/engine/training/objectives/registry.js';
import { lossAndGradients, scoreOf } from '../../extension/src/engine/training/stepMath.js';
import { readScore, scoreBatch, trainingStep } from '../../extension/src/engine/training/trainingStep.js';
import { tensorsOf } from '../../extension/src/engine/capture/compiledTree.js';
import { tinyModel } from '../support/tinyModels.js';

const datasets = new URL('../../media/datasets/', import.meta.url);
const ROWS = [
  [5, 9, 30, 2, 17],
  [7, 7, 8],
  [22, 3, 40, 8, 11, 6],
  [1, 2],
].map(ids => ({
  inputIds: Int32Array.from(ids),
  labels: Int32Array.from(ids, (id, i) => (i % 3 === 2 ? -100 : id)),
}));
const DATASET = { get: (i: number) => ROWS[i]!, lengthOf: (i: number) => ROWS[i]!.inputIds.length };
const SIZES = { batchSize: 4, maxLength: 64 };
const batches = [[[0, 1], [2]], [[3]]].map(sequences => makeBatch({ sequences }, DATASET));
const [method] = peftMethods;

beforeAll(async () => {
  await openBackend({ backend: 'tensorflow', threads: null, onWarning: () => {} });
});

it('have unique names, and accept every kind of example in the bundled datasets, except of formats that nothing trains on', () => {
  expect(new Set(objectives.map(({ name }) => name)).size).toBe(objectives.length);
  const kinds = new Set(objectives.flatMap(({ examples }) => examples));
  const files = readdirSync(datasets).filter(name => /\.jsonl?$/.test(name));
  expect(files.length).toBeGreaterThan(0);
  for (const name of files) {
    const text = readFileSync(new URL(name, datasets), 'utf8');
    const row = name.endsWith('l') ? JSON.parse(text.split('\n', 1)[0]!) : JSON.parse(text)[0];
    const format = datasetFormats.find(each => each.detect(row))!;
    const { kind } = format.parse(row, { file: name, line: 1 });
    expect(kinds.has(kind), name).toBe(!format.isUntrained);
  }
});

describe.each(objectives.map(objective => [objective.name, objective] as const))('%s', (_, objective) => {
  function trained() {
    const model = tinyModel('llama');
    const attached = new AttachedMethod(method!, method!.schema.parse({}), model.architecture);
    const adapter = Adapter.attach(attached, model, { purpose: 'training', rng: createRng(3) });
    const optimizer = new AdamW(adapter.variables, { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 });
    const dispose = () => [optimizer, adapter, model].forEach(each => each.dispose());
    return { objective, model, adapter, optimizer, dispose };
  }
  const settings = { learningRate: 1e-3, maxGradNorm: 1, rng: createRng(0) };
  const close = (a: number, b: number, tolerance: number) => Math.abs(a - b) <= tolerance * (1 + Math.abs(b));

  it('makes the tensors that it declares, at any bucket', () => {
    for (const batch of batches)
      for (const bucket of [objective.sizes(batch), bucketOf(objective.sizes(batch), SIZES)]) {
        const { input, own } = batchTensors(objective, batch, bucket);
        const specs = batchSpecs(objective, bucket);
        const described = (tensors: object) =>
          Object.entries(tensors).map(([name, { shape, dtype }]: [string, tf.Tensor]) => [name, { shape, dtype }]);
        expect(Object.fromEntries(described({ ...input }))).toEqual(specs.input);
        expect(Object.fromEntries(described(own))).toEqual(specs.own);
        tf.dispose(tensorsOf({ input, own }));
      }
  });

  it('has the same loss, gradients and score in a larger bucket', async () => {
    const before = tf.memory().numTensors;
    const { model, adapter, dispose } = trained();
    const training = { objective, model, adapter };
    for (const batch of batches) {
      const results = [];
      for (const bucket of [objective.sizes(batch), bucketOf(objective.sizes(batch), SIZES)]) {
        const tensors = batchTensors(objective, batch, bucket);
        const [loss, ...gradients] = tf.tidy(() => {
          const options = { totalWeight: tf.scalar(objective.weight(batch)), dropout: (x: tf.Tensor2D) => x };
          const result = lossAndGradients(training, adapter.variables, tensors, options);
          return [result.loss, ...result.gradients.values()];
        });
        const scored = await readScore(
          objective,
          tf.tidy(() => scoreOf(training, adapter.forwardOptions, tensors)),
          batch,
        );
        results.push({
          values: [loss!, ...gradients].map(tensor => Array.from(tensor.dataSync())),
          evaluation: await evaluate(objective, async () => scored, [batch]),
        });
        tf.dispose([...tensorsOf(tensors), loss!, ...gradients]);
      }
      const [own, padded] = results as [(typeof results)[0], (typeof results)[0]];
      expect(own.values.flat().every((value, i) => close(padded.values.flat()[i]!, value, 1e-5))).toBe(true);
      expect(close(padded.evaluation.loss, own.evaluation.loss, 1e-5)).toBe(true);
      for (const [name, value] of Object.entries(own.evaluation.metrics))
        expect(close(padded.evaluation.metrics[name]!, value, 1e-4), name).toBe(true);
    }
    dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('takes the same steps and gives the same metrics, captured and eagerly', async () => {
    const before = tf.memory().numTensors;
    const [eager, other] = [trained(), trained()];
    const captured = new CapturedStep(other, other.optimizer, SIZES);
    for (let step = 0; step < 3; step++) {
      const expected = await trainingStep(eager, eager.optimizer, batches, settings);
      const actual = await captured.step(batches, settings);
      expect(close(actual.loss, expected.loss, 1e-5), `loss of step ${step}`).toBe(true);
      expect(close(actual.gradNorm, expected.gradNorm, 1e-4), `gradient norm of step ${step}`).toBe(true);
    }
    const expected = await evaluate(
      objective,
      batch => scoreBatch(eager, eager.adapter.forwardOptions, batch),
      batches,
    );
    const actual = await evaluate(objective, batch => captured.score(batch), batches);
    expect(close(actual.loss, expected.loss, 1e-4)).toBe(true);
    expect(Object.keys(actual.metrics)).toEqual(objective.metrics.map(({ name }) => name));
    for (const { name } of objective.metrics)
      expect(close(actual.metrics[name]!, expected.metrics[name]!, 1e-4), name).toBe(true);
    captured.dispose();
    for (const { dispose } of [eager, other]) dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('has metrics whose names differ from the fields of every evaluation', () => {
    const names = objective.metrics.map(({ name }) => name);
    expect(new Set([...names, 'step', 'loss', 'best', 'time']).size).toBe(names.length + 4);
    for (const { title } of objective.metrics) expect(title).toMatch(/^[A-Z]/);
  });
});
