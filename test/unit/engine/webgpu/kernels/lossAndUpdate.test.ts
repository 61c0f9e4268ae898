// Cross entropy, the gradient of rows read from a table, and the clipped update: what plain ops compute.
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { createRng } from '../../../../../extension/src/engine/data/rng.js';
import type { CausalLm } from '../../../../../extension/src/engine/models/causalLm.js';
import { gatherRows, linear } from '../../../../../extension/src/engine/models/ops.js';
import { score, summedLoss } from '../../../../../extension/src/engine/training/crossEntropy.js';
import {
  adamWScalars,
  adamWUpdate,
  clipByGlobalNorm,
  clippedUpdate,
  type AdamWState,
} from '../../../../../extension/src/engine/training/stepMath.js';
import { expectEqual, largestDifference, open, random } from './againstPlainOps.js';

/** A model that is only a head, [vocab, width]. */
function headOf(weight: tf.Tensor2D): CausalLm {
  return {
    architecture: { head: 'head', vocabSize: weight.shape[0] },
    weight: () => weight,
    logits: (hidden: tf.Tensor2D) => linear(hidden, weight),
  } as unknown as CausalLm;
}

/** Each row has a label. */
function labelsFor(rows: number, vocab: number) {
  const rng = createRng(rows);
  return {
    rows: tf.range(0, rows, 1, 'int32') as tf.Tensor1D,
    targets: tf.tensor1d(
      Int32Array.from({ length: rows }, () => rng.int(vocab)),
      'int32',
    ),
    weights: tf.fill([rows], 0.5) as tf.Tensor1D,
  };
}

describe.each([
  [1, 2],
  [3, 63],
  [2, 65],
  [65, 3],
  [3, 1300],
])('cross entropy of %i rows with %i tokens', (rows, vocab) => {
  const plain = (x: tf.Tensor, w: tf.Tensor) => {
    const { targets, weights } = labelsFor(rows, vocab);
    const logits = tf.matMul(x as tf.Tensor2D, w as tf.Tensor2D, false, true);
    const ofLabels = tf.sum(tf.mul(tf.logSoftmax(logits), tf.cast(tf.oneHot(targets, vocab), 'float32')), 1);
    return tf.neg(tf.sum(tf.mul(ofLabels, weights)));
  };
  const shapes = [
    [rows, 5],
    [vocab, 5],
  ];
  // Logits of up to some hundreds, whose exponents aren't numbers.
  const large = (x: tf.Tensor) => tf.mul(x, 60);

  it('has the same loss and gradients, of a trained head too', () =>
    expectEqual(
      shapes,
      (x, w) => {
        const options = { replaced: new Map([['head.weight', w!]]) };
        return summedLoss(headOf(w as tf.Tensor2D), x as tf.Tensor2D, labelsFor(rows, vocab), options);
      },
      (x, w) => plain(x!, w!),
    ));

  it('has the same loss of large logits', () =>
    expectEqual(
      [shapes[0]!],
      x =>
        tf.div(
          summedLoss(
            headOf(random(shapes[1]!, 'w') as tf.Tensor2D),
            large(x!) as tf.Tensor2D,
            labelsFor(rows, vocab),
            {},
          ),
          60,
        ),
      x => tf.div(plain(large(x!), random(shapes[1]!, 'w')), 60),
    ));

  it('has the same losses without gradients', async () => {
    const losses = async () => {
      const [values] = tf.tidy(() => {
        const model = headOf(random(shapes[1]!, 'w') as tf.Tensor2D);
        return [score(model, random(shapes[0]!, 'x') as tf.Tensor2D, labelsFor(rows, vocab), {}).losses];
      });
      const read = await values!.data();
      values!.dispose();
      return read;
    };
    await open('tensorflow');
    const expected = await losses();
    await open('webgpu');
    expect(largestDifference(await losses(), expected)).toBeLessThan(1e-5);
  });
});

it.each([
  [2, 1, 1],
  [4, 3, 3],
  [7, 65, 130],
  [40, 3, 65],
])('the gradient of a table [%i, %i] of which %i rows are read', (count, width, rows) => {
  const rng = createRng(rows);
  const places = Int32Array.from({ length: rows }, () => rng.int(count));
  const hot = () => tf.cast(tf.oneHot(tf.tensor1d(places, 'int32'), count), 'float32') as tf.Tensor2D;
  return expectEqual(
    [[count, width]],
    x => gatherRows(x as tf.Tensor2D, tf.tensor1d(places, 'int32')),
    x => tf.matMul(hot(), x as tf.Tensor2D),
  );
});

describe.each([0, 0.5, 1e9])('gradients clipped to %f', maxNorm => {
  const shapes = [[1], [3, 65], [1100, 5], []];
  const config = { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.1 };

  /** The norm, the clipped gradients, and the states updated in one go or one by one. */
  async function results(inOneGo: boolean): Promise<Float32Array[]> {
    const before = tf.memory().numTensors;
    const tensors = tf.tidy(() => {
      const gradients = new Map(shapes.map((shape, i) => [`${i}`, random(shape, i)]));
      const state = new Map(
        shapes.map((shape, i): [string, AdamWState] => {
          const [parameter, exp_avg, exp_avg_sq] = ['p', 'm', 'v'].map(name => random(shape, `${name}${i}`));
          return [`${i}`, { parameter: parameter!, exp_avg: exp_avg!, exp_avg_sq: tf.square(exp_avg_sq!) }];
        }),
      );
      const scalars = adamWScalars(3, 1e-2, config);
      const { norm, clipped } = clipByGlobalNorm(gradients, maxNorm);
      const updated = inOneGo
        ? clippedUpdate({ gradients, state, scalars }, maxNorm, config).state
        : new Map([...state].map(([key, own]) => [key, adamWUpdate(own, clipped.get(key)!, scalars, config)]));
      return [norm, ...clipped.values(), ...[...updated.values()].flatMap(own => Object.values(own))].map(x =>
        tf.clone(x),
      );
    });
    const values: Float32Array[] = [];
    for (const tensor of tensors) values.push(new Float32Array(await tensor.data()));
    tf.dispose(tensors);
    expect(tf.memory().numTensors).toBe(before);
    return values;
  }

  it.each([true, false])('update parameters equally, in one go: %s', async inOneGo => {
    await open('tensorflow');
    const expected = await results(inOneGo);
    await open('webgpu');
    const actual = await results(inOneGo);
    actual.forEach((values, i) => expect(largestDifference(values, expected[i]!)).toBeLessThan(1e-5));
    expect(await results(inOneGo)).toEqual(actual);
  });
});
