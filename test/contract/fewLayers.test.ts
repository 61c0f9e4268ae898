// Two short traces stand for a long one: for every family and every method, what they say of a step is what the trace of
// all layers says, to the byte. A family whose layers aren't alike, or a method that treats them differently, fails here.
import { describe, expect, test } from 'vitest';
import { fewLayers } from '../../extension/src/engine/estimate/fewLayers.js';
import { traceGraph, traceWholeGraph } from '../../extension/src/engine/estimate/traceGraph.js';
import { modelFamilies } from '../../extension/src/engine/models/registry.js';
import { AttachedMethod } from '../../extension/src/engine/peft/attachedMethod.js';
import { peftMethods } from '../../extension/src/engine/peft/registry.js';
import { expectSameTrace } from '../support/traces.js';
import { tinyArchitecture } from '../support/tinyModels.js';

const batch = { batchSize: 3, maxLength: 48, gradientAccumulationSteps: 1 };
const shapes = [
  batch,
  { ...batch, gradientCheckpointing: true },
  // So small that gradients weigh more than activations where all is trained.
  { batchSize: 1, maxLength: 8, gradientAccumulationSteps: 2 },
];
const layers = { num_hidden_layers: 9, n_layer: 9 };

describe.each(modelFamilies.map(({ modelType }) => modelType))('%s', modelType => {
  const architecture = tinyArchitecture(modelType, layers);

  test.each(peftMethods.map(method => [method.peftType, method] as const))('%s', (_, method) => {
    const attached = new AttachedMethod(method, method.schema.parse({}), architecture);
    for (const shape of shapes) {
      const step = { attached, layouts: new Map(), shape, sequenceLength: shape.maxLength };
      expect(fewLayers(step)).not.toBeNull();
      expectSameTrace(traceGraph(step), traceWholeGraph(step), JSON.stringify(shape));
    }
  });
});
