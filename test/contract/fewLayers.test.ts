// Two short traces replace a long one: for every family and every method, they give the figures of a trace of all
// layers, to the byte. A family with different layers, or a method that treats them differently, fails here.
import { describe, expect, test } from 'vitest';
import { fewLayers } from '../../extension/src/engine/estimate/fewLayers.js';
import { traceGraph, traceWholeGraph } from '../../extension/src/engine/estimate/traceGraph.js';
import { modelFamilies } from '../../extension/src/engine/models/registry.js';
import { AttachedMethod } from '../../extension/src/engine/peft/attachedMethod.js';
import { peftMethods } from '../../extension/src/engine/peft/registry.js';
import { defaultObjective } from '../../extension/src/engine/training/objectives/registry.js';
import { someOf } from '../support/matrix.js';
import { refusalOf } from '../support/methodFit.js';
import { expectSameTrace } from '../support/traces.js';
import { tinyArchitecture } from '../support/tinyModels.js';

const BATCH = { objective: defaultObjective, batchSize: 3, maxLength: 48, gradientAccumulationSteps: 1 };
const SHAPES = [
  BATCH,
  { ...BATCH, gradientCheckpointing: true },
  // Small enough that gradients are larger than activations if everything is trained.
  { ...BATCH, batchSize: 1, maxLength: 8, gradientAccumulationSteps: 2 },
];
const LAYERS = { num_hidden_layers: 9, n_layer: 9 };

/** A pattern of two layers, repeated, and the first of them once more. */
const ALTERNATING = {
  num_hidden_layers: 17,
  n_layer: 17,
  use_sliding_window: true,
  sliding_window: 5,
  layer_types: Array.from({ length: 17 }, (_, i) => (i % 2 === 0 ? 'sliding_attention' : 'full_attention')),
};
/** Layers of one kind, then of another: no pattern repeats, and all layers are traced. */
const TWO_KINDS = { ...LAYERS, use_sliding_window: true, sliding_window: 5, max_window_layers: 4 };
const windowed = modelFamilies.filter(({ modelType }) => {
  const { layers } = tinyArchitecture(modelType, TWO_KINDS);
  return new Set(layers.map(({ attention }) => attention.window)).size > 1;
});

test('some families can have different layers', () => {
  expect(windowed.length).toBeGreaterThan(0);
});

describe.each(windowed.map(({ modelType }) => modelType))('%s with different layers', modelType => {
  test.each(peftMethods.map(method => [method.peftType, method] as const))('%s', (_, method) => {
    const stepOf = (changes: object, shape: (typeof SHAPES)[number]) => ({
      attached: new AttachedMethod(method, method.schema.parse({}), tinyArchitecture(modelType, { ...changes })),
      layouts: new Map(),
      shape,
      sequenceLength: shape.maxLength,
    });
    for (const shape of SHAPES) {
      const step = stepOf(ALTERNATING, shape);
      expect(fewLayers(step)).not.toBeNull();
      expectSameTrace(traceGraph(step), traceWholeGraph(step), JSON.stringify(shape));
    }
    const step = stepOf(TWO_KINDS, BATCH);
    expect(fewLayers(step)).toBeNull();
    expectSameTrace(traceGraph(step), traceWholeGraph(step));
  });
});

describe.each(modelFamilies.map(({ modelType }, turn) => [modelType, turn] as const))('%s', (modelType, turn) => {
  const architecture = tinyArchitecture(modelType, LAYERS);
  const fitting = peftMethods.filter(method => refusalOf(method, architecture) === null);

  test.each(someOf(fitting, turn).map(method => [method.peftType, method] as const))('%s', (_, method) => {
    const attached = new AttachedMethod(method, method.schema.parse({}), architecture);
    for (const shape of SHAPES) {
      const step = { attached, layouts: new Map(), shape, sequenceLength: shape.maxLength };
      expect(fewLayers(step)).not.toBeNull();
      expectSameTrace(traceGraph(step), traceWholeGraph(step), JSON.stringify(shape));
    }
  });
});
