// A method with few trainable parameters needs no temporary of a weight's size: no step creates a tensor as large as a
// frozen matrix, neither forward nor backward. Checked in the traced graph, for every method of the registry.
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { traceTree } from '../../extension/src/engine/capture/compiledTree.js';
import { fillsMemory } from '../../extension/src/engine/capture/opTable.js';
import type { InputSpec } from '../../extension/src/engine/capture/tracingBackend.js';
import { createRng } from '../../extension/src/engine/data/rng.js';
import { sizeOf } from '../../extension/src/engine/models/architecture.js';
import { CausalLm } from '../../extension/src/engine/models/causalLm.js';
import { Adapter } from '../../extension/src/engine/peft/adapter.js';
import { AttachedMethod } from '../../extension/src/engine/peft/attachedMethod.js';
import { trainedOf } from '../../extension/src/engine/peft/method.js';
import { peftMethods } from '../../extension/src/engine/peft/registry.js';
import { batchSpecs, type BatchTensors } from '../../extension/src/engine/training/microBatch.js';
import { defaultObjective } from '../../extension/src/engine/training/objectives/registry.js';
import { lossAndGradients, type Tensors } from '../../extension/src/engine/training/stepMath.js';
import { refusalOf } from '../support/methodFit.js';
import { tinyArchitecture } from '../support/tinyModels.js';

const TOKENS = 4;
const SIZES = { hidden_size: 64, n_embd: 64, head_dim: 16, intermediate_size: 96 };
const SMALL = { num_virtual_tokens: 2, bottleneck_size: 4, r: 4 };

const cases = ['llama', 'gpt2'].flatMap(family => {
  const architecture = tinyArchitecture(family, SIZES);
  const matrices = architecture.parameters.filter(({ kind, shape }) => kind === 'linear' && shape.length === 2);
  const smallest = Math.min(...matrices.map(({ shape }) => sizeOf(shape)));
  return peftMethods
    .map(method => {
      const keys = Object.keys((method.schema as { shape?: object }).shape ?? {});
      const config = method.schema.parse(
        Object.fromEntries(Object.entries(SMALL).filter(([key]) => keys.includes(key))),
      );
      return { family, architecture, smallest, method, config: config as unknown };
    })
    .filter(({ method, config }) => refusalOf(method, architecture, config) === null)
    .filter(({ method, config }) =>
      method.plan(config, architecture, 'training').every(({ shape }) => sizeOf(shape) < smallest),
    );
});

test('all methods with few parameters are tested', () => {
  expect(cases.map(({ method }) => method.peftType)).toEqual(
    expect.arrayContaining(['LORA', 'LOHA', 'VERA', 'IA3', 'PREFIX_TUNING', 'PROMPT_TUNING', 'BOTTLENECK_ADAPTER']),
  );
});

test.each(cases)('$family $method.peftType', ({ architecture, smallest, method, config }) => {
  const { parameters } = architecture;
  const plan = trainedOf(method.plan(config, architecture, 'training'));
  const float32 = ({ shape }: { shape: readonly number[] }): InputSpec => ({ shape, dtype: 'float32' });
  const objective = defaultObjective;
  const inputs = {
    weights: new Map(parameters.map(spec => [spec.name, float32(spec)])),
    own: new Map(plan.map(spec => [spec.key, float32(spec)])),
    batch: batchSpecs(objective, { batchSize: 1, sequenceLength: TOKENS, rowCount: TOKENS }),
  };
  type Inputs = { weights: Map<string, tf.Tensor>; own: Tensors; batch: BatchTensors };
  const { graph, tensors } = traceTree<Inputs>(inputs, ({ weights, own, batch }) => {
    const model = new CausalLm(architecture, weights);
    const values = ({ shape }: { shape: readonly number[] }) => new Float32Array(sizeOf(shape));
    const adapter = Adapter.attach(new AttachedMethod(method, config, model.architecture), model, {
      purpose: 'training',
      rng: createRng(0),
      values,
    });
    const result = lossAndGradients({ objective, model, adapter }, own, batch, {
      totalWeight: tf.scalar(1),
      dropout: x => x,
    });
    adapter.dispose();
    return result;
  });
  const large = graph.nodes.filter(
    node => fillsMemory(node) && sizeOf(tensors.get(`${node.name}:0`)?.shape ?? []) >= smallest,
  );
  expect(large.map(({ op, name }) => `${op} ${name} [${tensors.get(`${name}:0`)!.shape}]`)).toEqual([]);
});
