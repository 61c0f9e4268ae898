// The captured step, and steps with gradient checkpointing, compared with the plain eager step, for every method of the
// registry on a model of each kind: the same losses, gradient norms and tensors over 20 steps, with dropout,
// accumulation and ragged batches; no leaks.
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openBackend } from '../../extension/src/engine/backend/openBackend.js';
import { makeBatch } from '../../extension/src/engine/data/batches.js';
import type { Batch } from '../../extension/src/engine/data/batch.js';
import { createRng } from '../../extension/src/engine/data/rng.js';
import type { CausalLm } from '../../extension/src/engine/models/causalLm.js';
import { Adapter } from '../../extension/src/engine/peft/adapter.js';
import { AttachedMethod } from '../../extension/src/engine/peft/attachedMethod.js';
import { peftMethods } from '../../extension/src/engine/peft/registry.js';
import { AdamW } from '../../extension/src/engine/training/adamW.js';
import { CapturedStep } from '../../extension/src/engine/training/capturedStep.js';
import { causalLm } from '../../extension/src/engine/training/objectives/causalLm.js';
import { scoreBatch, trainingStep } from '../../extension/src/engine/training/trainingStep.js';
import { tinyArchitecture, tinyModel, windowVariants } from '../support/tinyModels.js';
import { refusalOf } from '../support/methodFit.js';

const STEPS = 20;
const rng = createRng('captured step');
const ROWS = [7, 3, 12, 5, 9, 4, 16, 16].map(length => {
  const ids = Int32Array.from({ length }, () => rng.int(48));
  return { inputIds: ids, labels: ids.slice() };
});
const DATASET = { get: (i: number) => ROWS[i]!, lengthOf: (i: number) => ROWS[i]!.inputIds.length };

/**
 * Two micro-batches of different shapes: one packed and ragged, one with one sequence less. Dropout draws its mask for
 * the padded shape of a graph, so it is compared on rows that need no padding.
 */
function batchesFor(model: CausalLm, adapter: Adapter, drops: boolean): Batch[] {
  const virtualTokens = adapter.forwardOptions.hooks.virtualTokens?.count ?? 0;
  const options = { virtualTokens, firstVirtualId: model.architecture.vocabSize };
  const plans = drops ? [[[6], [7]]] : [[[0, 1], [2]], [[3, 4, 5]]];
  return plans.map(sequences => makeBatch({ sequences }, DATASET, options));
}

const MODELS = [
  { family: 'llama', changes: {}, windows: false },
  { family: 'gpt2', changes: {}, windows: false },
  { family: 'qwen2', changes: windowVariants('qwen2', 4).at(-1)!, windows: true },
];

/** Every method with its defaults, and variants that take a different path through the forward pass. */
const cases = MODELS.flatMap(({ family, changes, windows }) =>
  peftMethods.flatMap(method => {
    const variants: Record<string, unknown>[] = [{}];
    if (windows) return [{ family, changes, method, config: method.schema.parse({}), shown: 'with a window by layer' }];
    const keys = Object.keys((method.schema as { shape?: object }).shape ?? {});
    if (keys.includes('lora_dropout')) variants.push({ lora_dropout: 0.3 });
    if (keys.includes('use_dora')) variants.push({ use_dora: true, lora_dropout: 0.1 });
    if (keys.includes('modules_to_save')) variants.push({ modules_to_save: ['lm_head'] });
    if (keys.includes('select')) variants.push({ select: 'norm' });
    return variants
      .map(config => ({
        family,
        changes,
        method,
        config: method.schema.parse(config) as unknown,
        shown: JSON.stringify(config),
      }))
      .filter(({ config }) => refusalOf(method, tinyArchitecture(family), config) === null);
  }),
);

beforeAll(async () => {
  await openBackend({ backend: 'tensorflow', threads: null, onWarning: () => {} });
});

interface Mode {
  mode: string;
  captures: boolean;
  gradientCheckpointing: boolean;
}

const MODES: Mode[] = [
  { mode: 'captured', captures: true, gradientCheckpointing: false },
  { mode: 'captured with checkpointing', captures: true, gradientCheckpointing: true },
  { mode: 'with checkpointing', captures: false, gradientCheckpointing: true },
];

describe.each(MODES)('$mode', ({ mode, captures, gradientCheckpointing }) => {
  const worst = { loss: 0, norm: 0, tensors: 0 };
  afterAll(() => console.log(`${mode}, compared with eager, largest relative differences:`, worst));

  test.each(cases)('$family $method.peftType $shown equals the eager step', async tested => {
    const { family, changes, method, config } = tested;
    const before = tf.memory().numTensors;
    const drops = ((config as { lora_dropout?: number }).lora_dropout ?? 0) > 0;
    // The gradient of GPT-2's key biases is only rounding noise, which a smaller epsilon would turn into full steps.
    const sides = [0, 1].map(() => {
      const model = tinyModel(family, changes);
      const adapter = Adapter.attach(new AttachedMethod(method, config, model.architecture), model, {
        purpose: 'training',
        rng: createRng(3),
      });
      const optimizer = new AdamW(adapter.variables, { beta1: 0.9, beta2: 0.999, epsilon: 1e-5, weightDecay: 0.1 });
      return { objective: causalLm, model, adapter, optimizer };
    });
    const [eager, traced] = sides as [(typeof sides)[0], (typeof sides)[0]];
    const captured = new CapturedStep(traced, traced.optimizer, { batchSize: 2, maxLength: 16 });
    for (let step = 0; step < STEPS; step++) {
      const settings = { learningRate: 1e-3, maxGradNorm: 1, gradientCheckpointing: false, rng: createRng(step) };
      const batches = batchesFor(eager.model, eager.adapter, drops).slice(0, step % 3 === 0 ? 2 : 1);
      const expected = await trainingStep(eager, eager.optimizer, batches, settings);
      const changed = { ...settings, gradientCheckpointing };
      const actual = captures
        ? await captured.step(batches, changed)
        : await trainingStep(traced, traced.optimizer, batches, changed);
      worst.loss = Math.max(worst.loss, Math.abs(actual.loss / expected.loss - 1));
      worst.norm = Math.max(worst.norm, Math.abs(actual.gradNorm / expected.gradNorm - 1));
      expect(Math.abs(actual.loss / expected.loss - 1), `loss of step ${step}`).toBeLessThan(1e-5);
      expect(Math.abs(actual.gradNorm / expected.gradNorm - 1), `gradient norm of step ${step}`).toBeLessThan(1e-4);
    }
    for (const [key, variable] of eager.adapter.variables) {
      const expected = variable.dataSync() as Float32Array;
      const actual = traced.adapter.variables.get(key)!.dataSync() as Float32Array;
      const size = expected.reduce((sum, value) => sum + Math.abs(value), 0);
      const off = expected.reduce((sum, value, i) => sum + Math.abs(value - actual[i]!), 0);
      worst.tensors = Math.max(worst.tensors, size > 0 ? off / size : off);
      expect(off, `tensor ${key}`).toBeLessThanOrEqual(1e-3 * size);
    }
    const [batch] = batchesFor(eager.model, eager.adapter, drops);
    const expected = await scoreBatch(eager, eager.adapter.forwardOptions, batch!);
    const actual = await captured.score(batch!);
    expect(actual.losses.length).toBe(expected.losses.length);
    expected.losses.forEach((loss, i) =>
      expect(Math.abs(actual.losses[i]! - loss), `label token ${i}`).toBeLessThan(1e-4 * (1 + loss)),
    );
    expect(actual.correct).toBe(expected.correct);
    // Two shapes of batch, with and without previous sums, the update and the score.
    expect(captured.report.graphs).toBeLessThanOrEqual(5);

    captured.dispose();
    for (const { model, adapter, optimizer } of sides) {
      optimizer.dispose();
      adapter.dispose();
      model.dispose();
    }
    expect(tf.memory().numTensors).toBe(before);
  });
});
