// When a model with few layers stands for one with many, and when all of them have to be traced. That both give the same is
// in test/contract/fewLayers.test.ts.
import { describe, expect, test } from 'vitest';
import { fewLayers } from '../../../../extension/src/engine/estimate/fewLayers.js';
import { traceGraph, traceWholeGraph } from '../../../../extension/src/engine/estimate/traceGraph.js';
import { weightLayouts } from '../../../../extension/src/engine/models/weightLayouts.js';
import { peftMethod } from '../../../../extension/src/engine/peft/registry.js';
import { expectSameTrace } from '../../../support/traces.js';
import { tinyArchitecture } from '../../../support/tinyModels.js';

const shape = { batchSize: 2, sequenceLength: 32, maxLength: 32, gradientAccumulationSteps: 1 };

function described(numLayers: number) {
  return { architecture: tinyArchitecture('llama', { num_hidden_layers: numLayers }), layouts: new Map() };
}

function methodWith(peftType: string, keys: object) {
  const method = peftMethod(peftType)!;
  return [method, method.schema.parse(keys)] as const;
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
    const [method, config] = methodWith(peftType, keys);
    const base = described(11);
    expect(fewLayers(base, method, config)).toBeNull();
    expectSameTrace(traceGraph(base, method, config, shape), traceWholeGraph(base, method, config, shape));
  });

  test('of a model that has hardly more', () => {
    const lora = methodWith('LORA', {});
    expect(fewLayers(described(7), ...lora)).toBeNull();
    expect(fewLayers(described(8), ...lora)).not.toBeNull();
  });

  test('of a model whose layers are held differently', () => {
    const lora = methodWith('LORA', {});
    const base = described(11);
    const stored = base.architecture.parameters.map(() => ({ byteLength: 0 }));
    const layouts = weightLayouts(base.architecture, stored, { base_weights: 'int4', precision: 'float32' });
    expect(fewLayers({ ...base, layouts }, ...lora)).not.toBeNull();
    const [name, layout] = [...layouts].find(([name]) => name.includes('layers.9.'))!;
    const mixed = new Map([...layouts, [name, { ...layout, format: 'int8' as const }]]);
    expect(fewLayers({ ...base, layouts: mixed }, ...lora)).toBeNull();
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
    const [method, config] = methodWith(peftType, keys);
    const base = described(11);
    expect(fewLayers(base, method, config)).not.toBeNull();
    expectSameTrace(traceGraph(base, method, config, shape), traceWholeGraph(base, method, config, shape));
  });

  test('where all layers’ probabilities are too many to be kept, though those of a few were not', () => {
    const [method, config] = methodWith('LORA', {});
    const base = described(11);
    const long = { ...shape, sequenceLength: 512, maxLength: 512 };
    const whole = traceWholeGraph(base, method, config, long);
    expectSameTrace(traceGraph(base, method, config, long), whole);
    const [few] = fewLayers(base, method, config)!;
    const kept = traceWholeGraph({ ...few, standsFor: undefined }, method, config, long);
    expect(kept.activations).toBeGreaterThan(traceWholeGraph(few, method, config, long).activations);
  });
});
