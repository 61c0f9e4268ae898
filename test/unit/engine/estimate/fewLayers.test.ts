// When a few layers represent a whole model, and when all layers must be traced. test/contract/fewLayers.test.ts tests
// that both give the same figures.
import { describe, expect, test } from 'vitest';
import type { EstimatedStep } from '../../../../extension/src/engine/estimate/estimatedStep.js';
import { fewLayers } from '../../../../extension/src/engine/estimate/fewLayers.js';
import { traceGraph, traceWholeGraph } from '../../../../extension/src/engine/estimate/traceGraph.js';
import { weightLayouts } from '../../../../extension/src/engine/models/weightLayouts.js';
import { AttachedMethod } from '../../../../extension/src/engine/peft/attachedMethod.js';
import { peftMethod } from '../../../../extension/src/engine/peft/registry.js';
import { defaultObjective } from '../../../../extension/src/engine/training/objectives/registry.js';
import { expectSameTrace } from '../../../support/traces.js';
import { tinyArchitecture } from '../../../support/tinyModels.js';

function step(peftType: string, keys: object, numLayers = 11): EstimatedStep {
  const architecture = tinyArchitecture('llama', { num_hidden_layers: numLayers });
  const method = peftMethod(peftType)!;
  return {
    attached: new AttachedMethod(method, method.schema.parse(keys), architecture),
    layouts: new Map(),
    shape: { objective: defaultObjective, batchSize: 2, maxLength: 32, gradientAccumulationSteps: 1 },
    sequenceLength: 32,
  };
}

describe('all layers are traced', () => {
  test.each([
    ['LORA', { layers_to_transform: [0, 1] }],
    ['LORA', { layers_to_transform: [4, 9] }],
    ['LORA', { rank_pattern: { '.*\\.7\\..*': 2 } }],
    ['LORA', { target_modules: '.*layers\\.([2-9]|10)\\..*q_proj' }],
    ['LORA', { target_modules: '.*layers\\.\\d*[02468]\\..*q_proj' }],
    ['LORA', { target_modules: ['q_proj'], exclude_modules: ['layers.1.self_attn.q_proj'] }],
    ['SELECTIVE', { select: 'first_layers', num_layers: 2 }],
    ['SELECTIVE', { select: 'last_layers', num_layers: 5 }],
    ['SELECTIVE', { select: 'pattern', pattern: '.*layers\\.10\\..*' }],
  ])('%s %j', (peftType, keys) => {
    const traced = step(peftType, keys);
    expect(fewLayers(traced)).toBeNull();
    expectSameTrace(traceGraph(traced), traceWholeGraph(traced));
  });

  test('of a model that has hardly more than a few', () => {
    expect(fewLayers(step('LORA', {}, 7))).toBeNull();
    expect(fewLayers(step('LORA', {}, 8))).not.toBeNull();
  });

  test('of a model whose layers have different formats', () => {
    const lora = step('LORA', {});
    const { architecture } = lora.attached;
    const stored = architecture.parameters.map(() => ({ byteLength: 0 }));
    const layouts = weightLayouts(architecture, stored, { base_weights: 'int4', precision: 'float32' });
    expect(fewLayers({ ...lora, layouts })).not.toBeNull();
    const [name, layout] = [...layouts].find(([name]) => name.includes('layers.9.'))!;
    const mixed = new Map([...layouts, [name, { ...layout, format: 'int8' as const }]]);
    expect(fewLayers({ ...lora, layouts: mixed })).toBeNull();
  });
});

describe('few layers are enough', () => {
  test.each([
    ['LORA', { target_modules: 'all-linear', modules_to_save: ['lm_head'] }],
    ['LORA', { bias: 'all' }],
    ['SELECTIVE', { select: 'norm' }],
    ['SELECTIVE', { select: 'last_layers', num_layers: 1 }],
    ['PREFIX_TUNING', { prefix_projection: true }],
  ])('%s %j', (peftType, keys) => {
    const traced = step(peftType, keys);
    expect(fewLayers(traced)).not.toBeNull();
    expectSameTrace(traceGraph(traced), traceWholeGraph(traced));
  });

  test('if all layers’ probabilities are too large to be kept, but those of a few layers would not be', () => {
    const short = step('LORA', {});
    const long = { ...short, shape: { ...short.shape, maxLength: 512 }, sequenceLength: 512 };
    expectSameTrace(traceGraph(long), traceWholeGraph(long));
    const [few] = fewLayers(long)!.steps;
    const kept = traceWholeGraph({ ...few, heads: undefined });
    expect(kept.activations).toBeGreaterThan(traceWholeGraph(few).activations);
  });
});
