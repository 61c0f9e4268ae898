// Estimates: counts as PEFT prints them, memory parts that add up and grow with the right settings, no tensors leaked.
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test } from 'vitest';
import { compareMethods } from '../../../../extension/src/engine/estimate/compareMethods.js';
import { estimateRun, type EstimateInput } from '../../../../extension/src/engine/estimate/estimateRun.js';
import { ACTIVATION_NAMES } from '../../../../extension/src/engine/models/activations.js';
import { countParameters } from '../../../../extension/src/engine/models/architecture.js';
import { weightLayouts } from '../../../../extension/src/engine/models/weightLayouts.js';
import { architectureOf } from '../../../../extension/src/engine/models/registry.js';
import { AttachedMethod } from '../../../../extension/src/engine/peft/attachedMethod.js';
import type { PeftMethod } from '../../../../extension/src/engine/peft/method.js';
import { peftMethod, peftMethods } from '../../../../extension/src/engine/peft/registry.js';
import { defaultObjective } from '../../../../extension/src/engine/training/objectives/registry.js';
import { runConfigSchema } from '../../../../extension/src/protocol/runConfig.js';
import { refusalOf } from '../../../support/methodFit.js';
import { SMOLLM2_CONFIG, TINY_CONFIGS } from './configs.js';

function estimate(
  config: Record<string, unknown>,
  peftType: string,
  methodKeys: object = {},
  {
    batchSize = 2,
    sequenceLength = 16,
    layouts = new Map(),
    captured = true,
    graphs = 1,
  }: Partial<EstimateInput> & {
    batchSize?: number;
  } = {},
) {
  const method = peftMethod(peftType)!;
  const attached = new AttachedMethod(method, method.schema.parse(methodKeys), architectureOf(config, 'test'));
  const shape = { objective: defaultObjective, batchSize, maxLength: sequenceLength, gradientAccumulationSteps: 1 };
  return estimateRun({ attached, layouts, shape, sequenceLength, captured, graphs });
}

describe('counts', () => {
  test('SmolLM2-135M with LoRA r = 8 on q_proj and v_proj, as PEFT prints it', () => {
    const { trainableParameters, totalParameters } = estimate(SMOLLM2_CONFIG, 'LORA', { r: 8 });
    expect([trainableParameters, totalParameters]).toEqual([460_800, 134_975_808]);
  });

  test('parameters trained in place count once, copies of modules_to_save twice', () => {
    const gpt2 = TINY_CONFIGS.find(config => config.model_type === 'gpt2')!;
    const base = countParameters(architectureOf(gpt2, 'test'));
    expect(estimate(gpt2, 'FULL').totalParameters).toBe(base);
    expect(estimate(gpt2, 'SELECTIVE', { select: 'norm' }).totalParameters).toBe(base);
    const plain = estimate(gpt2, 'LORA');
    expect(estimate(gpt2, 'LORA', { bias: 'all' }).totalParameters).toBe(plain.totalParameters);
    const saved = estimate(gpt2, 'LORA', { modules_to_save: ['lm_head'] });
    expect(saved.totalParameters - plain.totalParameters).toBe(96 * 32);
  });
});

describe('memory', () => {
  test.each(ACTIVATION_NAMES)('of a step with %s, as a graph and op by op', name => {
    const config = { ...TINY_CONFIGS[0]!, hidden_act: name };
    for (const captured of [true, false])
      expect(estimate(config, 'LORA', {}, { captured }).memory.activations).toBeGreaterThan(0);
  });

  test.each([true, false])(
    'a method’s frozen tensors take memory, but are neither trained nor counted; captured %s',
    captured => {
      const [small, large] = [8, 16].map(r => estimate(SMOLLM2_CONFIG, 'VERA', { r }, { captured }));
      const modules = 60;
      const widest = { in: 576, out: 576 };
      expect(large!.trainableParameters - small!.trainableParameters).toBe(8 * modules);
      expect(large!.totalParameters - small!.totalParameters).toBe(8 * modules);
      expect(large!.memory.weights - small!.memory.weights).toBe(4 * 8 * (widest.in + widest.out + modules));
    },
  );

  const cases = TINY_CONFIGS.flatMap(config =>
    peftMethods
      .filter(method => refusalOf(method, architectureOf(config, 'test')) === null)
      .flatMap(({ peftType }) => [true, false].map(captured => ({ config, peftType, captured }))),
  );

  test.each(cases)(
    '$config.model_type, $peftType, captured $captured: parts add up and no tensors leak',
    ({ config, peftType, captured }) => {
      const before = tf.memory().numTensors;
      const { memory, trainableParameters, share, flopsPerStep } = estimate(config, peftType, {}, { captured });
      expect(flopsPerStep).toBeGreaterThan(0);
      expect(tf.memory().numTensors).toBe(before);
      const { total, ...parts } = memory;
      for (const [part, bytes] of Object.entries(parts)) expect(bytes, part).toBeGreaterThan(0);
      expect(Object.values(parts).reduce((sum, bytes) => sum + bytes)).toBeCloseTo(total, 3);
      expect(memory.gradients).toBe(4 * trainableParameters);
      expect(memory.optimizer).toBe(8 * trainableParameters);
      expect(share).toBeLessThanOrEqual(1);
    },
  );

  test.each([true, false])('a model with a sliding window, captured %s', captured => {
    const mistral = { ...TINY_CONFIGS.find(config => config.model_type === 'mistral')!, sliding_window: 4 };
    const { memory } = estimate(mistral, 'LORA', {}, { captured });
    expect(memory.activations).toBeGreaterThan(0);
  });

  test('a captured step takes far less memory than an eager one, with the same FLOPs', () => {
    const larger = { batchSize: 4, sequenceLength: 256 };
    const captured = estimate(SMOLLM2_CONFIG, 'LORA', { r: 8 }, larger);
    const eager = estimate(SMOLLM2_CONFIG, 'LORA', { r: 8 }, { ...larger, captured: false });
    expect(captured.memory.total).toBeLessThan(eager.memory.total / 2);
    expect(captured.flopsPerStep / eager.flopsPerStep).toBeCloseTo(1, 2);
  });

  test('FLOPs of a step: four per parameter and token if the base is frozen', () => {
    const parameters = 106_204_608; // matrices of the blocks
    const head = 49152 * 576;
    const tokens = 4 * 256;
    const attention = 30 * 4 * 9 * 64 * 2 * 256 * 256; // scores and sums, a product per head
    const { flopsPerStep } = estimate(SMOLLM2_CONFIG, 'LORA', { r: 8 }, { batchSize: 4, sequenceLength: 256 });
    const least = 4 * tokens * (parameters + head) + attention;
    expect(flopsPerStep).toBeGreaterThan(least);
    expect(flopsPerStep).toBeLessThan(1.15 * least);
  });

  test('a parameter that training replaces is held once', () => {
    const base = 4 * countParameters(architectureOf(TINY_CONFIGS[0]!, 'test'));
    const rotaryTables = 2 * 4 * 32 * 8;
    expect(estimate(TINY_CONFIGS[0]!, 'FULL').memory.weights).toBeLessThanOrEqual(base + rotaryTables);
  });

  test('each further graph of a captured run takes the same amount', () => {
    const total = (graphs: number, captured = true) =>
      estimate(TINY_CONFIGS[0]!, 'LORA', {}, { graphs, captured }).memory.total;
    expect(total(2)).toBeGreaterThan(total(1));
    expect(total(5) - total(1)).toBeCloseTo(4 * (total(2) - total(1)), 3);
    expect(total(5, false)).toBe(total(1, false));
  });

  test.each(['int8', 'int4'] as const)('a head in %s is never completely in float32', base_weights => {
    const config = { ...SMOLLM2_CONFIG, num_hidden_layers: 2 };
    const architecture = architectureOf(config, 'test');
    const stored = architecture.parameters.map(() => ({ byteLength: 0 }));
    const layouts = weightLayouts(architecture, stored, { base_weights, precision: 'float32' });
    const { memory } = estimate(config, 'LORA', { r: 8 }, { layouts });
    expect(memory.temporary).toBeLessThan(0.75 * 4 * 49152 * 576);
  });

  test('activations grow with the batch, weights do not', () => {
    const small = estimate(TINY_CONFIGS[0]!, 'LORA').memory;
    const double = estimate(TINY_CONFIGS[0]!, 'LORA', {}, { batchSize: 4 }).memory;
    expect(double.activations / small.activations).toBeGreaterThan(1.8);
    expect(double.activations / small.activations).toBeLessThan(2.1);
    expect(double.weights).toBe(small.weights);
  });
});

test('compares methods on one model, with a reason for those that do not fit', async () => {
  const oneLayer = { ...TINY_CONFIGS[0]!, num_hidden_layers: 1 };
  const config = runConfigSchema.parse({
    model: 'm',
    dataset: { train: 'd', max_length: 16 },
    method: { peft_type: 'LORA' },
  });
  const base = { architecture: architectureOf(oneLayer, 'test'), layouts: new Map() };
  const step = { captured: true, graphs: 1, sequenceLength: 16 };
  const announced: string[] = [];
  const next = async ({ peftType }: PeftMethod) => void announced.push(peftType);
  const compared = await compareMethods(peftMethods, base, config, step, next);
  expect(announced).toEqual(peftMethods.map(({ peftType }) => peftType));
  expect(compared.map(({ method }) => method)).toEqual(peftMethods);
  const refused = compared.filter(({ estimate }) => estimate === null);
  expect(refused.map(({ method, reason }) => [method.peftType, reason])).toEqual([
    ['SELECTIVE', 'the model has only 1 layer'],
  ]);
});
