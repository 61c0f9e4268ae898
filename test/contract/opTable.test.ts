// The table of ops compared with the graphs of every family and method, and with TensorFlow: every recorded op has a
// row, every row is needed, TensorFlow's results have a row's shapes and types, a product's FLOPs follow from its
// sizes, and XLA compiles the ops whose output has a name. Graphs are only traced here; capturedStep and
// capturedDecoding run them.
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { openBackend } from '../../extension/src/engine/backend/openBackend.js';
import type { CompiledFunction } from '../../extension/src/engine/capture/compiledFunction.js';
import { DataType, typeName, type Attribute, type Attributes } from '../../extension/src/engine/capture/graph.js';
import { opTable, productFlops, UntraceableError } from '../../extension/src/engine/capture/opTable.js';
import type { AbstractTensor } from '../../extension/src/engine/capture/shapeRules.js';
import {
  BINDING_CONSTANTS,
  type NodeBackend,
  type OpAttribute,
  type TensorHandle,
} from '../../extension/src/engine/capture/tfjsNode.js';
import { trace, type InputSpec, type TracedFunction } from '../../extension/src/engine/capture/tracingBackend.js';
import { makeBatch } from '../../extension/src/engine/data/batches.js';
import { createRng } from '../../extension/src/engine/data/rng.js';
import { WeightBlocks } from '../../extension/src/engine/files/weightBlocks.js';
import { StepGraphs } from '../../extension/src/engine/generation/stepGraphs.js';
import { adapterForm } from '../../extension/src/engine/generation/variant.js';
import { ACTIVATION_NAMES } from '../../extension/src/engine/models/activations.js';
import { QuantizedWeight } from '../../extension/src/engine/models/quantizedWeight.js';
import { modelFamilies } from '../../extension/src/engine/models/registry.js';
import { Adapter } from '../../extension/src/engine/peft/adapter.js';
import { AttachedMethod } from '../../extension/src/engine/peft/attachedMethod.js';
import { peftMethods } from '../../extension/src/engine/peft/registry.js';
import { AdamW } from '../../extension/src/engine/training/adamW.js';
import { CapturedStep } from '../../extension/src/engine/training/capturedStep.js';
import { objectives } from '../../extension/src/engine/training/objectives/registry.js';
import { tinyArchitecture, tinyModel } from '../support/tinyModels.js';

/** An op in a graph. */
interface Call {
  op: string;
  inputs: AbstractTensor[];
  attributes: Attributes;
  results: AbstractTensor[];
}

/** Rows that no captured graph needs: what needs them, and a function with the op. */
const OTHERS: Record<string, { neededBy: string; f: (x: tf.Tensor) => tf.Tensor }> = {
  OneHot: { neededBy: "an eager step's loss, on the shape backend", f: x => tf.oneHot(tf.cast(x, 'int32'), 3) },
};

/** Distinct calls of each op, from all graphs. */
const calls = new Map<string, Map<string, Call>>();

function collect({ graph, tensors }: TracedFunction): void {
  for (const { name, op, inputs: sources, attributes } of graph.nodes) {
    if (opTable.get(op)?.memory === 'held') continue;
    const inputs = sources.filter(source => !source.startsWith('^')).map(source => tensors.get(source)!);
    const results: AbstractTensor[] = [];
    while (tensors.has(`${name}:${results.length}`)) results.push(tensors.get(`${name}:${results.length}`)!);
    const described = inputs.map(({ shape, dtype, values }) => [shape, dtype, values]);
    if (!calls.has(op)) calls.set(op, new Map());
    calls.get(op)!.set(JSON.stringify([described, attributes]), { op, inputs, attributes, results });
  }
}

const collected = vi.hoisted(() => ({ add: (_traced: unknown): void => {} }));

/** Traces like the real one, and returns zeros instead of running. */
vi.mock(import('../../extension/src/engine/capture/compiledFunction.js'), async () => {
  class TracedOnly {
    static async compile(specs: readonly InputSpec[], f: (...inputs: tf.Tensor[]) => tf.Tensor[]) {
      const traced = trace(specs, f);
      collected.add(traced);
      return new TracedOnly(traced);
    }
    constructor(private readonly traced: TracedFunction) {}
    run() {
      const results = this.traced.outputs.map(output => this.traced.tensors.get(output)!);
      return results.map(({ shape, dtype }) => tf.zeros(shape, typeName(dtype)));
    }
    dispose() {}
  }
  return { CompiledFunction: TracedOnly as unknown as typeof CompiledFunction };
});

/** Long enough for two blocks of attention. */
const LENGTH = 160;
const ROOM = { max_position_embeddings: 256, n_positions: 256 };
/** Every family reads the keys that it knows. */
const WINDOWS = { ...ROOM, sliding_window: 24, use_sliding_window: true, max_window_layers: 1 };
const ROW = { inputIds: new Int32Array(LENGTH), labels: new Int32Array(LENGTH) };

/** Traces a training step with and without previous sums, its update and a score, for every objective; and decoding. */
async function traceAll(
  family: string,
  attached: AttachedMethod,
  { changes = ROOM, settings }: { changes?: object; settings?: Parameters<typeof tinyModel>[3] } = {},
) {
  const model = tinyModel(family, { ...changes }, 1, settings);
  const adapter = Adapter.attach(attached.on(model.architecture), model, { purpose: 'training', rng: createRng(0) });
  const optimizer = new AdamW(adapter.variables, { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.1 });
  const batch = makeBatch(
    { sequences: [[0]] },
    { get: () => ROW, lengthOf: () => LENGTH },
    { virtualTokens: attached.virtualTokens, firstVirtualId: model.architecture.vocabSize },
  );
  for (const objective of objectives) {
    const step = new CapturedStep({ objective, model, adapter }, optimizer, { batchSize: 1, maxLength: LENGTH });
    await step.step([batch, batch], { learningRate: 1e-3, maxGradNorm: 1, rng: createRng(0) });
    await step.score(batch);
    step.dispose();
  }
  const graphs = new StepGraphs(model);
  await graphs.of(adapterForm(adapter), { rows: 1, capacity: 256 });
  graphs.dispose();
  for (const owner of [optimizer, adapter, model]) owner.dispose();
}

/** Every method with its defaults, and variants that take a different path through the forward pass. */
function variantsFor(family: string): AttachedMethod[] {
  return peftMethods.flatMap(method => {
    const keys = Object.keys((method.schema as { shape?: object }).shape ?? {});
    const changes: Record<string, unknown>[] = [{}];
    if (keys.includes('use_dora')) changes.push({ use_dora: true, lora_dropout: 0.1 });
    if (keys.includes('modules_to_save')) changes.push({ modules_to_save: ['lm_head'] });
    return changes
      .map(change => new AttachedMethod(method, method.schema.parse(change), tinyArchitecture(family, ROOM)))
      .filter(fits);
  });
}

function fits(attached: AttachedMethod): boolean {
  try {
    attached.plan('training');
    return true;
  } catch {
    return false;
  }
}

const untraceable = new Set<string>();

async function noting(what: string, f: () => Promise<void>): Promise<void> {
  try {
    await f();
  } catch (error) {
    if (!(error instanceof UntraceableError)) throw error;
    untraceable.add(`${what}: ${error.op}`);
  }
}

beforeAll(async () => {
  await openBackend({ backend: 'tensorflow', threads: null, onWarning: () => {} });
  collected.add = traced => collect(traced as TracedFunction);
  for (const { modelType } of modelFamilies) {
    const variants = variantsFor(modelType);
    for (const attached of variants)
      await noting(`${modelType} ${attached.method.peftType}`, () => traceAll(modelType, attached));
    await noting(`${modelType} with windows`, () => traceAll(modelType, variants[0]!, { changes: WINDOWS }));
  }
  const frozen = variantsFor('llama').find(({ method }) => method.storage !== 'model')!;
  for (const base_weights of ['float32', 'bfloat16', 'int8', 'int4'] as const)
    for (const precision of ['float32', 'bfloat16'] as const)
      await noting(`${base_weights} in ${precision}`, () =>
        traceAll('llama', frozen, { settings: { base_weights, precision } }),
      );
  for (const name of ACTIVATION_NAMES)
    await noting(name, () => traceAll('llama', frozen, { changes: { ...ROOM, hidden_act: name } }));
  // Blocks that exist only in GGUF files.
  const layout = { format: 'int4_minimum', shape: [2, 64], precision: 'float32', transposed: false } as const;
  const weight = QuantizedWeight.of(new WeightBlocks(layout.format, layout.shape), layout);
  collect(trace([], () => [weight.dense()]));
  weight.dispose();
});

test('every recorded op has a row', () => {
  expect([...untraceable]).toEqual([]);
});

const rows = [...opTable].filter(([, { memory }]) => memory !== 'held').map(([op]) => op);

test('every row is needed', () => {
  expect(rows.filter(op => !calls.has(op))).toEqual(Object.keys(OTHERS));
});

function callsOf(op: string): Call[] {
  const other = OTHERS[op];
  if (other) collect(trace([{ shape: [2], dtype: 'float32' }], x => [other.f(x!)]));
  return [...calls.get(op)!.values()];
}

function sent(attributes: Attributes): OpAttribute[] {
  const { TF_ATTR_TYPE, TF_ATTR_BOOL, TF_ATTR_INT } = BINDING_CONSTANTS;
  const one = (name: string, attribute: Attribute): OpAttribute => {
    if ('type' in attribute) return { name, type: TF_ATTR_TYPE, value: attribute.type };
    if ('bool' in attribute) return { name, type: TF_ATTR_BOOL, value: attribute.bool };
    if ('int' in attribute) return { name, type: TF_ATTR_INT, value: attribute.int };
    throw new Error(`attribute ${name} has another type`);
  };
  return Object.entries(attributes).map(([name, attribute]) => one(name, attribute));
}

const cast = ({ id }: { id: number }, from: number, to: number): TensorHandle => {
  const types = sent({ SrcT: { type: from }, DstT: { type: to } });
  return (tf.backend() as NodeBackend).binding.executeOp('Cast', types, [id], 1)[0]!;
};

/**
 * Runs a call on the active backend, with its constants and, for other inputs, the `given` tensors, which are float32.
 */
function run({ op, inputs, attributes, results }: Call, given: readonly tf.Tensor[]): TensorHandle[] {
  const { binding, getInputTensorIds } = tf.backend() as NodeBackend;
  const ids = getInputTensorIds.call(tf.backend(), [...given]);
  const read = inputs.map(({ shape, dtype, values }, i) =>
    values ? binding.createTensor(shape, dtype, values) : cast({ id: ids[i]! }, DataType.float32, dtype).id,
  );
  return binding.executeOp(op, sent(attributes), read, results.length);
}

const described = ({ shape, dtype }: AbstractTensor) => ({ shape, dtype });

test.each(rows)('%s has TensorFlow’s shapes and types', op => {
  for (const call of callsOf(op)) {
    // Zeros are also valid indices.
    const given = call.inputs.map(({ shape }) => tf.zeros(shape));
    expect(run(call, given).map(described), JSON.stringify(call.attributes)).toEqual(call.results.map(described));
    tf.dispose(given);
  }
});

test.each(rows.filter(op => op.includes('MatMul')))('%s counts its FLOPs', op => {
  const { product } = opTable.get(op)!;
  for (const { attributes, inputs, results } of callsOf(op)) {
    const [a, b, c] = [...inputs, ...results].map(({ shape }) => tf.util.sizeFromShape(shape)) as [
      number,
      number,
      number,
    ];
    const batch = tf.util.sizeFromShape(results[0]!.shape.slice(0, -2));
    // Sizes are b m k, b k n and b m n.
    expect(productFlops(product!, attributes, inputs[0]!, results[0]!)).toBe(2 * Math.sqrt((a * b * c) / batch));
  }
});

describe('by XLA', () => {
  const named = rows.filter(op => opTable.get(op)!.xla !== null);

  // If XLA refuses a graph, the plain one replaces it, which has more nodes.
  test.each(named)('%s is compiled', async op => {
    const actual = await vi.importActual<{ CompiledFunction: typeof CompiledFunction }>(
      '../../extension/src/engine/capture/compiledFunction.js',
    );
    const [call] = callsOf(op);
    const specs = call!.inputs.map(({ shape }): InputSpec => ({ shape, dtype: 'float32' }));
    const f = (...inputs: tf.Tensor[]) =>
      run(call!, inputs).map(result =>
        (tf.backend() as NodeBackend).createOutputTensor(cast(result, result.dtype, DataType.float32)),
      );
    const graph = await actual.CompiledFunction.compile(specs, f, true);
    const { nodes } = graph;
    const given = specs.map(({ shape }) => tf.zeros([...shape]));
    const results = graph.run(given);
    expect(results.map(({ shape }) => shape)).toEqual(call!.results.map(({ shape }) => shape));
    expect(graph.nodes).toBe(nodes);
    expect((await actual.CompiledFunction.compile(specs, f, false)).nodes).toBeGreaterThan(nodes);
    tf.dispose([...given, ...results]);
    graph.dispose();
  });
});
