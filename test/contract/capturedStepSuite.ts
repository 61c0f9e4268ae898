// Captured steps, and steps with gradient checkpointing, compared with TensorFlow's plain eager step, for every method of
// the registry on a model of each kind: the same losses, gradient norms and tensors, with dropout, accumulation and ragged
// batches; no leaks. capturedStep.test.ts and webgpuStep.test.ts call it with a backend.
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
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
import { scoreBatch, trainingStep, type StepResult } from '../../extension/src/engine/training/trainingStep.js';
import { someOf } from '../support/matrix.js';
import { RARE_PARTS, tinyArchitecture, tinyModel, windowVariants } from '../support/tinyModels.js';
import { refusalOf } from '../support/methodFit.js';

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
  { family: 'llama', changes: {}, shown: null },
  { family: 'gpt2', changes: {}, shown: null },
  { family: 'qwen2', changes: windowVariants('qwen2', 4).at(-1)!, shown: 'with a window by layer' },
  { family: 'llama', changes: RARE_PARTS, shown: 'with rare parts', only: 'LORA' },
  { family: 'gpt2', changes: RARE_PARTS, shown: 'with rare parts', only: 'FULL' },
];

/** Every method with its defaults, and variants that take a different path through the forward pass. */
const cases = MODELS.flatMap(({ family, changes, shown, only }, turn) => {
  const fitting = peftMethods.flatMap(method => {
    const variants: Record<string, unknown>[] = [{}];
    if (only && method.peftType !== only) return [];
    if (shown) return [{ family, changes, method, config: method.schema.parse({}), shown }];
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
  });
  return someOf(fitting, turn);
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

type Case = (typeof cases)[number];

interface Side {
  objective: typeof causalLm;
  model: CausalLm;
  adapter: Adapter;
  optimizer: AdamW;
}

function sideOf({ family, changes, method, config }: Case): Side {
  const model = tinyModel(family, changes);
  const attached = new AttachedMethod(method, config, model.architecture);
  const adapter = Adapter.attach(attached, model, { purpose: 'training', rng: createRng(3) });
  // The gradient of GPT-2's key biases is only rounding noise, which a smaller epsilon would turn into full steps.
  const optimizer = new AdamW(adapter.variables, { beta1: 0.9, beta2: 0.999, epsilon: 1e-5, weightDecay: 0.1 });
  return { objective: causalLm, model, adapter, optimizer };
}

/** The losses of tokens add up to the loss, and padding has none. */
function expectTokenLosses({ loss, tokenLosses }: StepResult, batches: readonly Batch[], what: string): void {
  expect(tokenLosses.map(losses => losses?.length)).toEqual(batches.map(({ numLabelTokens }) => numLabelTokens));
  const all = tokenLosses.flatMap(losses => [...losses!]);
  const mean = all.reduce((sum, each) => sum + each, 0) / all.length;
  expect(Math.abs(mean / loss - 1), `${what}: losses of tokens`).toBeLessThan(1e-5);
}

export interface SuiteOptions {
  backend: 'tensorflow' | 'webgpu';
  steps: number;
  /** By name; all if left out. */
  modes?: string[];
  /** Of the cases. */
  some?: (tested: Case, index: number) => boolean;
}

export function describeCapturedStep({ backend, steps, modes: names, some = () => true }: SuiteOptions): void {
  const modes = MODES.filter(({ mode }) => !names || names.includes(mode));
  /** Largest relative differences from the eager step, by mode. */
  const worst = modes.map(({ mode }) => ({ mode, loss: 0, norm: 0, tensors: 0 }));

  beforeAll(async () => {
    await openBackend({ backend: 'tensorflow', threads: null, onWarning: () => {} });
    await openBackend({ backend, threads: null, onWarning: () => {} });
  });
  afterAll(() => console.log(`${backend} compared with eager, largest relative differences:`, worst));

  test.each(cases.filter(some))('$family $method.peftType $shown equals the eager step in every mode', async tested => {
    await tf.setBackend(backend);
    const before = tf.memory().numTensors;
    await tf.setBackend('tensorflow');
    const drops = ((tested.config as { lora_dropout?: number }).lora_dropout ?? 0) > 0;
    const eager = sideOf(tested);
    await tf.setBackend(backend);
    const others = modes.map((mode, i) => {
      const side = sideOf(tested);
      const captured = new CapturedStep(side, side.optimizer, { batchSize: 2, maxLength: 16 });
      return { ...mode, side, captured, worst: worst[i]! };
    });
    for (let step = 0; step < steps; step++) {
      const settings = { learningRate: 1e-3, maxGradNorm: 1, gradientCheckpointing: false, rng: createRng(step) };
      const batches = batchesFor(eager.model, eager.adapter, drops).slice(0, step % 3 === 0 ? 2 : 1);
      await tf.setBackend('tensorflow');
      const expected = await trainingStep(eager, eager.optimizer, batches, settings);
      expectTokenLosses(expected, batches, `eager: step ${step}`);
      await tf.setBackend(backend);
      for (const { mode, captures, gradientCheckpointing, side, captured, worst } of others) {
        const changed = { ...settings, gradientCheckpointing };
        const actual = captures
          ? await captured.step(batches, changed)
          : await trainingStep(side, side.optimizer, batches, changed);
        const loss = Math.abs(actual.loss / expected.loss - 1);
        const norm = Math.abs(actual.gradNorm / expected.gradNorm - 1);
        worst.loss = Math.max(worst.loss, loss);
        worst.norm = Math.max(worst.norm, norm);
        expect(loss, `${mode}: loss of step ${step}`).toBeLessThan(1e-5);
        expect(norm, `${mode}: gradient norm of step ${step}`).toBeLessThan(1e-4);
        expectTokenLosses(actual, batches, `${mode}: step ${step}`);
      }
    }
    const [batch] = batchesFor(eager.model, eager.adapter, drops);
    await tf.setBackend('tensorflow');
    const expected = await scoreBatch(eager, eager.adapter.forwardOptions, batch!);
    await tf.setBackend(backend);
    for (const { mode, side, captured, worst } of others) {
      for (const [key, variable] of eager.adapter.variables) {
        const values = await variable.data<'float32'>();
        const actual = await side.adapter.variables.get(key)!.data<'float32'>();
        const size = values.reduce((sum, value) => sum + Math.abs(value), 0);
        const off = values.reduce((sum, value, i) => sum + Math.abs(value - actual[i]!), 0);
        worst.tensors = Math.max(worst.tensors, size > 0 ? off / size : off);
        expect(off, `${mode}: tensor ${key}`).toBeLessThanOrEqual(1e-3 * size);
      }
      const actual = await captured.score(batch!);
      expect(actual.losses.length).toBe(expected.losses.length);
      expected.losses.forEach((loss, i) =>
        expect(Math.abs(actual.losses[i]! - loss), `${mode}: label token ${i}`).toBeLessThan(1e-4 * (1 + loss)),
      );
      expect(actual.correct, mode).toBe(expected.correct);
      // Two shapes of batch, with and without previous sums, the update and the score.
      expect(captured.report.graphs, mode).toBeLessThanOrEqual(5);
      captured.dispose();
    }
    for (const { model, adapter, optimizer } of [eager, ...others.map(({ side }) => side)]) {
      optimizer.dispose();
      adapter.dispose();
      model.dispose();
    }
    expect(tf.memory().numTensors).toBe(before);
  });
}
