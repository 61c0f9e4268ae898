// The contract of every PEFT method, over the registry and the options of each method's schema. No method is named
// here: a new one is tested once it has a line in engine/peft/registry.ts.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { openBackend } from '../../extension/src/engine/backend/openBackend.js';
import { IGNORE_LABEL } from '../../extension/src/core/data/example.js';
import type { Batch } from '../../extension/src/engine/data/batch.js';
import { makeBatch } from '../../extension/src/engine/data/batches.js';
import { createRng } from '../../extension/src/engine/data/rng.js';
import { estimateRun } from '../../extension/src/engine/estimate/estimateRun.js';
import { openHuggingFaceFolder } from '../../extension/src/engine/files/huggingfaceFolder.js';
import { openSafetensors, writeDeviceTensors } from '../../extension/src/engine/files/safetensors.js';
import type { ModelFiles } from '../../extension/src/engine/files/tensorSource.js';
import { CausalLm, type ForwardOptions } from '../../extension/src/engine/models/causalLm.js';
import { valuesOf as valuesOfParameter } from '../../extension/src/engine/models/changedParameters.js';
import { denseOf } from '../../extension/src/engine/models/quantizedWeight.js';
import { loadModel } from '../../extension/src/engine/models/loadModel.js';
import { modelFamilies } from '../../extension/src/engine/models/registry.js';
import { writeModelFolder } from '../../extension/src/engine/models/writeModelFolder.js';
import { Adapter } from '../../extension/src/engine/peft/adapter.js';
import { AttachedMethod } from '../../extension/src/engine/peft/attachedMethod.js';
import { loadAdapter, openAdapter, saveAdapter } from '../../extension/src/engine/peft/adapterFiles.js';
import type { LoraFactors, PeftMethod, ReadTensor } from '../../extension/src/engine/peft/method.js';
import { peftMethods } from '../../extension/src/engine/peft/registry.js';
import { AdamW } from '../../extension/src/engine/training/adamW.js';
import { modelInput } from '../../extension/src/engine/training/microBatch.js';
import { ForgettingMeter } from '../../extension/src/engine/training/forgetting.js';
import { defaultObjective } from '../../extension/src/engine/training/objectives/registry.js';
import { computeGradients, trainingStep } from '../../extension/src/engine/training/trainingStep.js';
import { inputErrorOf } from '../support/inputErrors.js';
import { refusalOf } from '../support/methodFit.js';
import { tinyArchitecture, tinyConfig, tinyModel } from '../support/tinyModels.js';
import { randomRows, unlabelledFirst } from '../support/tinyRun.js';

/** One decoder with rotary positions and biases, one with Conv1D. */
const MODEL_TYPES = ['llama', 'gpt2'];

function keysOf(method: PeftMethod): Record<string, z.ZodType> {
  return (method.schema as unknown as z.ZodObject).shape as Record<string, z.ZodType>;
}

function named(chosen: (method: PeftMethod) => boolean = () => true): { method: PeftMethod; peftType: string }[] {
  return peftMethods.filter(chosen).map(method => ({ method, peftType: method.peftType }));
}

/** Valid as any text and as a regular expression. */
const ANY_TEXT = '.*';

/** A method's defaults, and every option that its schema offers, one at a time. */
function variants(method: PeftMethod): Record<string, unknown>[] {
  const texts: Record<string, unknown> = {};
  const found: Record<string, unknown>[] = [{}];
  for (const [key, schema] of Object.entries(keysOf(method))) {
    const core = withoutWrappers(schema);
    if (core instanceof z.ZodString) texts[key] = ANY_TEXT;
    for (const value of choices(core)) found.push({ [key]: value });
  }
  return found.map(variant => ({ ...(Object.keys(variant).length > 0 && texts), ...variant }));
}

function withoutWrappers(schema: z.ZodType): z.ZodType {
  return schema instanceof z.ZodDefault || schema instanceof z.ZodNullable
    ? withoutWrappers(schema.unwrap() as z.ZodType)
    : schema;
}

function choices(schema: z.ZodType): unknown[] {
  if (schema instanceof z.ZodEnum) return schema.options;
  if (schema instanceof z.ZodBoolean) return [true, false];
  // A share, such as a dropout.
  if (schema instanceof z.ZodNumber && schema.safeParse(0.25).success && !schema.safeParse(1).success) return [0.25];
  if (schema instanceof z.ZodLiteral) return [...schema.values];
  if (schema instanceof z.ZodUnion)
    return schema.options.flatMap(option => (option instanceof z.ZodLiteral ? choices(option) : []));
  return [];
}

interface Case {
  method: PeftMethod;
  modelType: string;
  config: unknown;
  title: string;
}

const cases: Case[] = peftMethods.flatMap(method =>
  variants(method).flatMap(variant => {
    const config = method.schema.safeParse(variant);
    if (!config.success) return [];
    // Variants that a model can't have, such as biases that don't exist, are left out.
    const fitting = MODEL_TYPES.filter(type => refusalOf(method, tinyArchitecture(type), config.data) === null);
    return fitting.map(modelType => ({
      method,
      modelType,
      config: config.data,
      title: `${method.peftType} ${JSON.stringify(variant)} on ${modelType}`,
    }));
  }),
);

const ROWS = [
  [5, 9, 30, 2, 17, 41],
  [7, 7, 12],
  [22, 3, 40, 8],
].map(ids => ({ inputIds: Int32Array.from(ids), labels: Int32Array.from(ids) }));
ROWS[0]!.labels.fill(IGNORE_LABEL, 0, 2);
const DATASET = { get: (i: number) => ROWS[i]!, lengthOf: (i: number) => ROWS[i]!.inputIds.length };

/** Two sequences, the second with padding. */
function batchFor({ architecture }: CausalLm, adapter?: Adapter): Batch {
  const virtualTokens = adapter?.forwardOptions.hooks.virtualTokens?.count ?? 0;
  const sequences = [[0, 1], [2]];
  return makeBatch({ sequences }, DATASET, { virtualTokens, firstVirtualId: architecture.vocabSize });
}

/** Logits of the rows' own tokens. */
function logitsOf(model: CausalLm, adapter?: Adapter): Float32Array {
  const batch = batchFor(model, adapter);
  const options: ForwardOptions = adapter?.forwardOptions ?? {};
  const { vocabSize } = model.architecture;
  const all = tf.tidy(() => model.logits(model.forward(modelInput(batch), options), options).dataSync());
  const own = [...batch.inputIds.keys()].filter(row => batch.segmentIds[row] !== 0 && batch.inputIds[row]! < vocabSize);
  return Float32Array.from(own.flatMap(row => [...all.subarray(row * vocabSize, (row + 1) * vocabSize)]));
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
}

function expectClose(a: Float32Array, b: Float32Array, tolerance: number, what: string): void {
  const difference = largestDifference(a, b);
  expect(difference <= tolerance, `${what}: logits differ by ${difference}`).toBe(true);
}

function attach(method: PeftMethod, config: unknown, model: CausalLm): Adapter {
  return Adapter.attach(new AttachedMethod(method, config, model.architecture), model, {
    purpose: 'training',
    rng: createRng(3),
    tokenize: text => [...text].map(char => char.charCodeAt(0) % 48),
  });
}

async function train(model: CausalLm, adapter: Adapter, steps: number): Promise<void> {
  const optimizer = new AdamW(adapter.variables, { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 });
  for (let step = 0; step < steps; step++) {
    const { loss } = await trainingStep(
      { objective: defaultObjective, model, adapter },
      optimizer,
      [batchFor(model, adapter)],
      {
        learningRate: 1e-2,
        maxGradNorm: 1,
        rng: createRng(step),
      },
    );
    expect(Number.isFinite(loss)).toBe(true);
  }
  optimizer.dispose();
}

function valuesOf(tensors: Iterable<[string, tf.Tensor]>): Map<string, Float32Array> {
  return new Map([...tensors].map(([key, tensor]) => [key, tensor.dataSync<'float32'>().slice()]));
}

function weightsOf(model: CausalLm): Map<string, Float32Array> {
  return valuesOf(model.architecture.parameters.map(({ name }) => [name, denseOf(model.weight(name))]));
}

/** scale · B A in the weight's own orientation. */
function updateOf({ module, rank, scale, a, b }: LoraFactors, read: ReadTensor): Float32Array {
  return tf.tidy(() => {
    const product = tf.matMul(
      tf.tensor(b(read), [module.outFeatures, rank]) as tf.Tensor2D,
      tf.tensor(a(read), [rank, module.inFeatures]) as tf.Tensor2D,
    );
    const scaled = tf.mul(product, scale);
    return (module.conv1d ? tf.transpose(scaled) : scaled).dataSync<'float32'>();
  });
}

/** The model's files, for writeModelFolder. */
function filesOf(modelType: string): ModelFiles {
  const config = tinyConfig(modelType);
  return {
    reference: modelType,
    path: modelType,
    format: 'huggingface',
    tokenizerFolder: null,
    config,
    generationConfig: null,
    tokenizer: null,
    tensors: new Map(),
    close: () => {},
  };
}

function reopen(folder: string): CausalLm {
  const files = openHuggingFaceFolder(folder, folder);
  const model = loadModel(files);
  files.close();
  return model;
}

let scratch = '';
let folders = 0;
const newFolder = () => join(scratch, String(folders++));

beforeAll(async () => {
  await openBackend({ backend: 'tensorflow', threads: null, onWarning: () => {} });
  scratch = mkdtempSync(join(tmpdir(), 'tunewright-methods-'));
});
afterAll(() => rmSync(scratch, { recursive: true }));

describe.each(named())('families of $peftType', ({ method, peftType }) => {
  const families = modelFamilies.map(({ modelType }) => ({
    modelType,
    refusal: refusalOf(method, tinyArchitecture(modelType)),
  }));

  it('are at least one, and have cases', () => {
    expect(families.some(({ refusal }) => refusal === null)).toBe(true);
    for (const { modelType, refusal } of families)
      if (refusal === null && MODEL_TYPES.includes(modelType))
        expect(
          cases.some(entry => entry.method === method && entry.modelType === modelType),
          `${peftType} on ${modelType}`,
        ).toBe(true);
  });

  it('are refused by name, with a hint', () => {
    for (const { modelType, refusal } of families) {
      if (refusal === null) continue;
      expect(refusal.message).toContain(modelType);
      expect(refusal.where).toMatch(/^method\./);
      expect(refusal.hint).toMatch(/\w/);
    }
  });
});

describe.each(cases)('$title', ({ method, modelType, config }) => {
  it('trains only its own parameters, and saves, loads and merges them', async () => {
    const tensorsBefore = tf.memory().numTensors;
    const model = tinyModel(modelType);
    logitsOf(model);
    const base = weightsOf(model);
    const baseLogits = logitsOf(model);
    const attachedBefore = tf.memory().numTensors;
    const adapter = attach(method, config, model);

    if (method.identityAtStart(config)) expectClose(logitsOf(model, adapter), baseLogits, 1e-5, 'before training');
    const start = valuesOf(adapter.variables);
    const frozen = adapter.attached.plan('training').filter(spec => spec.frozen);
    const frozenValues = () => valuesOf(frozen.map(({ key }) => [key, adapter.tensorOf(key)]));
    const frozenStart = frozenValues();
    for (const { key } of frozen) expect(adapter.variables.has(key), `${key} is trained`).toBe(false);
    await train(model, adapter, 3);
    expect(frozenValues(), 'frozen tensors changed').toEqual(frozenStart);
    for (const [name, values] of weightsOf(model))
      expect(values, `base parameter ${name} changed`).toEqual(base.get(name));
    for (const [key, values] of valuesOf(adapter.variables))
      expect(largestDifference(values, start.get(key)!), `${key} did not change`).toBeGreaterThan(0);
    expectClose(logitsOf(model), baseLogits, 0, 'the base without the adapter');
    const trained = logitsOf(model, adapter);
    expect(largestDifference(trained, baseLogits)).toBeGreaterThan(1e-3);

    const merged = adapter.merge();
    expect(merged === null).toBe(method.merge === undefined);
    if (merged) {
      const folder = newFolder();
      await writeModelFolder(folder, model, filesOf(modelType), merged);
      const mergedModel = reopen(folder);
      expectClose(logitsOf(mergedModel), trained, 1e-4, 'merged');
      mergedModel.dispose();
    }

    if (method.storage !== 'model') {
      const folder = newFolder();
      await saveAdapter(folder, adapter, 'org/base');
      const saved = openAdapter(folder, model.architecture);
      for (const { key, frozen: kind } of frozen)
        expect(saved.tensors.has(key), `${key} in the file`).toBe(kind === 'saved');
      const loaded = loadAdapter(saved, model);
      expectClose(logitsOf(model, loaded), trained, 1e-6, 'saved and loaded');
      loaded.dispose();
      const lora = method.asLora?.(config, model.architecture);
      if (lora && typeof lora !== 'string' && merged)
        for (const factors of lora.factors) {
          const name = `${factors.module.name}.weight`;
          const mergedValues = await valuesOfParameter(merged.get(name)!);
          const update = mergedValues.map((value, i) => value - base.get(name)![i]!);
          const same = largestDifference(
            updateOf(factors, key => saved.tensors.get(key)!.readFloat32()),
            update,
          );
          expect(same, `${name} in LoRA's form`).toBeLessThan(1e-5);
        }
      saved.close();
    }
    adapter.dispose();
    expect(tf.memory().numTensors, 'tensors leaked by the adapter').toBe(attachedBefore);
    model.dispose();
    expect(tf.memory().numTensors, 'tensors leaked by the model').toBe(tensorsBefore);
  });

  it('has as many parameters as the estimate', () => {
    const model = tinyModel(modelType);
    const adapter = attach(method, config, model);
    const { trainableParameters } = estimateRun({
      attached: adapter.attached,
      layouts: new Map(),
      shape: { objective: defaultObjective, batchSize: 1, maxLength: 8, gradientAccumulationSteps: 1 },
      sequenceLength: 8,
      captured: false,
      graphs: 1,
    });
    const held = [...adapter.variables.values()].reduce((sum, variable) => sum + variable.size, 0);
    expect(adapter.numParameters).toBe(held);
    expect(trainableParameters).toBe(held);
    adapter.dispose();
    model.dispose();
  });
});

describe.each(named())('$peftType', ({ method }) => {
  const config = method.schema.parse({});

  it('has not moved from its base before training, and has after it', async () => {
    const before = tf.memory().numTensors;
    const model = tinyModel('llama');
    const adapter = attach(method, config, model);
    const meter = await ForgettingMeter.open(model, unlabelledFirst(randomRows(3)), adapter);
    adapter.takeOver();
    const atStart = await meter.measure(adapter.forwardOptions);
    if (method.identityAtStart(config))
      expect(atStart, 'before training').toEqual({ kl_from_base: 0, general_loss: meter.baseLoss });
    else expect(atStart.kl_from_base, 'before training').toBeGreaterThan(0);
    await train(model, adapter, 3);
    const { kl_from_base: divergence } = await meter.measure(adapter.forwardOptions);
    expect(divergence, 'after training').toBeGreaterThan(1e-6);
    meter.dispose();
    adapter.dispose();
    model.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('leaks nothing if a step fails or its loss is NaN', async () => {
    const model = tinyModel('llama');
    logitsOf(model);
    const before = tf.memory().numTensors;
    const adapter = attach(method, config, model);
    const good = batchFor(model, adapter);
    // The second micro-batch fails after the gradients of the first have been computed.
    const broken = { ...good, labels: good.labels, inputIds: new Int32Array(1) };
    expect(() =>
      computeGradients({ objective: defaultObjective, model, adapter }, [good, broken], createRng(0)),
    ).toThrow();

    const [first] = adapter.variables.values();
    tf.tidy(() => first!.assign(tf.fill(first!.shape, NaN)));
    const start = valuesOf(adapter.variables);
    const optimizer = new AdamW(adapter.variables, { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 });
    const options = { learningRate: 1, maxGradNorm: 1, rng: createRng(0) };
    expect(
      (await trainingStep({ objective: defaultObjective, model, adapter }, optimizer, [good], options)).loss,
    ).toBeNaN();
    expect(valuesOf(adapter.variables), 'updated by a non-finite step').toEqual(start);
    optimizer.dispose();
    adapter.dispose();
    expect(tf.memory().numTensors).toBe(before);
    model.dispose();
  });

  it('has a strict schema with a description of every key', () => {
    for (const [key, schema] of Object.entries(keysOf(method))) expect(schema.description, key).toMatch(/\w/);
    expect(method.schema.safeParse({ no_such_key: 1 }).success).toBe(false);
  });
});

describe.each(named(method => 'target_modules' in keysOf(method)))('targets of $peftType', ({ method }) => {
  it('are refused if one matches nothing, with a list of the modules', async () => {
    for (const target of [['no_such_proj'], 'no_such.*']) {
      const wrong = method.schema.parse({ target_modules: target });
      const error = await inputErrorOf(() => method.plan(wrong, tinyArchitecture('llama'), 'training'));
      expect(error.message).toContain('no_such');
      for (const name of ['q_proj', 'o_proj', 'down_proj']) expect(error.hint).toContain(name);
    }
  });
});

describe.each(named(method => method.storage !== 'model'))('files of $peftType', ({ method }) => {
  const config = method.schema.parse({});
  let model: CausalLm;
  let folder: string;
  beforeAll(async () => {
    model = tinyModel('llama');
    folder = newFolder();
    const adapter = attach(method, config, model);
    await saveAdapter(folder, adapter, 'org/base');
    adapter.dispose();
  });
  afterAll(() => model.dispose());

  const tensorFile = () =>
    join(folder, method.storage === 'adapter' ? 'adapter_model.safetensors' : 'selected_model.safetensors');
  const configFile = () => join(folder, method.storage === 'adapter' ? 'adapter_config.json' : 'selective_config.json');

  /** Loads the folder with changed tensors. */
  async function errorWith(change: (tensors: Map<string, tf.Tensor>) => void) {
    const kept = readFileSync(tensorFile());
    const file = openSafetensors(tensorFile());
    const tensors = new Map(
      [...file.tensors].map(([name, stored]) => [name, tf.tensor(stored.readFloat32(), [...stored.shape])]),
    );
    file.close();
    change(tensors);
    await writeDeviceTensors(tensorFile(), tensors);
    const before = tf.memory().numTensors;
    const saved = openAdapter(folder, model.architecture);
    const error = await inputErrorOf(() => loadAdapter(saved, model));
    expect(tf.memory().numTensors).toBe(before);
    saved.close();
    tf.dispose([...tensors.values()]);
    writeFileSync(tensorFile(), kept);
    return error;
  }

  it('have PEFT’s mandatory fields', () => {
    const json = JSON.parse(readFileSync(configFile(), 'utf8'));
    expect(json).toMatchObject({
      peft_type: method.peftType,
      task_type: 'CAUSAL_LM',
      base_model_name_or_path: 'org/base',
      inference_mode: true,
      auto_mapping: null,
      revision: null,
    });
    expect(json.peft_version).toMatch(/^\d+\.\d+\.\d+$/);
    expect(Object.keys(json)).toEqual(Object.keys(json).toSorted());
    expect(JSON.stringify(json)).not.toContain('undefined');
    const file = openSafetensors(tensorFile());
    expect(file.metadata).toEqual({ format: 'pt' });
    file.close();
  });

  it('are read back as the same config', () => {
    const saved = openAdapter(folder, model.architecture);
    saved.close();
    expect(saved.attached.method.peftType).toBe(method.peftType);
    expect(saved.baseModel).toBe('org/base');
    expect(saved.attached.toAdapterConfig()).toEqual(method.toAdapterConfig(config, model.architecture));
  });

  it('are refused with a missing tensor, by its name', async () => {
    let missing = '';
    const error = await errorWith(tensors => {
      missing = [...tensors.keys()].at(-1)!;
      tensors.delete(missing);
    });
    expect(error.describe()).toContain(missing);
    expect(error.describe()).toContain(folder);
  });

  it('are refused with an unexpected tensor, by its name', async () => {
    const error = await errorWith(tensors => tensors.set('base_model.model.nowhere.weight', tf.zeros([2])));
    expect(error.describe()).toContain('base_model.model.nowhere.weight');
  });

  it('are refused with a tensor of another shape, by its name and both shapes', async () => {
    let name = '';
    let shape: number[] = [];
    const error = await errorWith(tensors => {
      name = [...tensors.keys()].at(-1)!;
      shape = [...tensors.get(name)!.shape];
      tensors.set(name, tf.zeros([7, ...shape]));
    });
    for (const part of [name, `[${[7, ...shape].join(', ')}]`, `[${shape.join(', ')}]`, 'org/base'])
      expect(error.describe()).toContain(part);
  });
});
