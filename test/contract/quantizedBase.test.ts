// A quantized base, for every method that leaves it frozen: captured steps have the losses of eager steps, and of the
// same run on a float32 base with the same values.
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { openBackend } from '../../extension/src/engine/backend/openBackend.js';
import { makeBatch } from '../../extension/src/engine/data/batches.js';
import { createRng } from '../../extension/src/engine/data/rng.js';
import type { CausalLm } from '../../extension/src/engine/models/causalLm.js';
import { Adapter } from '../../extension/src/engine/peft/adapter.js';
import { AttachedMethod } from '../../extension/src/engine/peft/attachedMethod.js';
import type { PeftMethod } from '../../extension/src/engine/peft/method.js';
import { peftMethods } from '../../extension/src/engine/peft/registry.js';
import { AdamW } from '../../extension/src/engine/training/adamW.js';
import { CapturedStep } from '../../extension/src/engine/training/capturedStep.js';
import { causalLm } from '../../extension/src/engine/training/objectives/causalLm.js';
import { scoreBatch, trainingStep } from '../../extension/src/engine/training/trainingStep.js';
import type { BaseWeights, UsedWeights } from '../../extension/src/protocol/engineConfig.js';
import { someOf } from '../support/matrix.js';
import { refusalOf } from '../support/methodFit.js';
import { dequantizedModel, tinyArchitecture, tinyModel } from '../support/tinyModels.js';

const STEPS = 6;
const rng = createRng('quantized base');
const ROWS = [16, 16].map(length => {
  const ids = Int32Array.from({ length }, () => rng.int(48));
  return { inputIds: ids, labels: ids.slice() };
});
const DATASET = { get: (i: number) => ROWS[i]!, lengthOf: (i: number) => ROWS[i]!.inputIds.length };

interface Case {
  family: string;
  baseWeights: BaseWeights;
  precision: UsedWeights['precision'];
  method: PeftMethod;
  config: unknown;
  shown: string;
}

/** Every method on int8, and different paths through the forward pass on the other formats. */
const cases: Case[] = ['llama', 'gpt2'].flatMap((family, turn) => {
  const withFrozenBase = peftMethods.filter(
    method => method.storage !== 'model' && refusalOf(method, tinyArchitecture(family)) === null,
  );
  const lora = peftMethods.find(({ peftType }) => peftType === 'LORA')!;
  type Variant = [BaseWeights, PeftMethod, object, UsedWeights['precision']?];
  const variants: Variant[] = [
    ...withFrozenBase.map((method): Variant => ['int8', method, {}]),
    ['bfloat16', lora, {}],
    ['int4', lora, {}],
    ['int4', lora, { use_dora: true, lora_dropout: 0.1 }],
    ['int8', lora, { modules_to_save: ['lm_head'] }],
    ['int8', lora, { target_modules: ['lm_head'] }],
    ['float32', lora, {}, 'bfloat16'],
    ['int4', lora, {}, 'bfloat16'],
  ];
  return someOf(variants, turn).map(([baseWeights, method, config, precision = 'float32']) => ({
    family,
    baseWeights,
    precision,
    method,
    config: method.schema.parse(config) as unknown,
    shown: JSON.stringify(config),
  }));
});

beforeAll(async () => {
  await openBackend({ backend: 'tensorflow', threads: null, onWarning: () => {} });
});

describe('a quantized base', () => {
  test.each(cases)('$family $baseWeights in $precision, $method.peftType $shown', async testCase => {
    const { family, baseWeights, precision, method, config } = testCase;
    // Sums that differ in the last bit may round to different bfloat16 values.
    const [alike, rounding] = precision === 'bfloat16' ? [1e-3, 1e-2] : [1e-5, 1e-5];
    const before = tf.memory().numTensors;
    const attached = (model: CausalLm) => {
      const adapter = Adapter.attach(new AttachedMethod(method, config, model.architecture), model, {
        purpose: 'training',
        rng: createRng(3),
      });
      const optimizer = new AdamW(adapter.variables, { beta1: 0.9, beta2: 0.999, epsilon: 1e-5, weightDecay: 0.1 });
      return { objective: causalLm, model, adapter, optimizer };
    };
    const quantized = () => tinyModel(family, { vocab_size: 48 }, 1, { base_weights: baseWeights, precision });
    const [eager, traced] = [attached(quantized()), attached(quantized())];
    const dense = attached(dequantizedModel(eager.model));
    const batch = makeBatch({ sequences: [[0], [1]] }, DATASET, {
      virtualTokens: eager.adapter.forwardOptions.hooks.virtualTokens?.count ?? 0,
      firstVirtualId: 48,
    });
    const captured = new CapturedStep(traced, traced.optimizer, { batchSize: 2, maxLength: 16 });
    for (let step = 0; step < STEPS; step++) {
      const settings = { learningRate: 1e-3, maxGradNorm: 1, rng: createRng(step) };
      const expected = await trainingStep(eager, eager.optimizer, [batch], settings);
      const ofDense = await trainingStep(dense, dense.optimizer, [batch], settings);
      const actual = await captured.step([batch], settings);
      expect(Math.abs(actual.loss / expected.loss - 1), `loss of step ${step}`).toBeLessThan(alike);
      expect(Math.abs(actual.gradNorm / expected.gradNorm - 1), `gradient norm of step ${step}`).toBeLessThan(
        10 * alike,
      );
      expect(Math.abs(expected.loss / ofDense.loss - 1), `loss on float32, step ${step}`).toBeLessThan(rounding);
    }
    const expected = await scoreBatch(eager, eager.adapter.forwardOptions, batch);
    const actual = await captured.score(batch);
    expect(actual.losses.length).toBe(expected.losses.length);
    expected.losses.forEach((loss, i) =>
      expect(Math.abs(actual.losses[i]! - loss), `label token ${i}`).toBeLessThan(rounding * (1 + loss)),
    );
    expect(actual.correct).toBe(expected.correct);

    captured.dispose();
    for (const { model, adapter, optimizer } of [eager, traced, dense]) {
      optimizer.dispose();
      adapter.dispose();
      model.dispose();
    }
    expect(tf.memory().numTensors).toBe(before);
  });
});
