// The contract of every model family, over the registry: decoding and packing agree with the forward pass, whatever
// method is attached. No family is named here: a new one is tested once it has a line in engine/models/registry.ts.
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { openBackend } from '../../extension/src/engine/backend/openBackend.js';
import { makeBatch } from '../../extension/src/engine/data/batches.js';
import { createRng } from '../../extension/src/engine/data/rng.js';
import { countParameters, sizeOf } from '../../extension/src/engine/models/architecture.js';
import type { CausalLm } from '../../extension/src/engine/models/causalLm.js';
import { architectureOf, modelFamilies } from '../../extension/src/engine/models/registry.js';
import { Adapter } from '../../extension/src/engine/peft/adapter.js';
import { AttachedMethod } from '../../extension/src/engine/peft/attachedMethod.js';
import { peftMethods } from '../../extension/src/engine/peft/registry.js';
import { modelInput } from '../../extension/src/engine/training/microBatch.js';
import { inputErrorOf } from '../support/inputErrors.js';
import { RARE_PARTS, tinyArchitecture, tinyConfig, tinyModel, windowVariants } from '../support/tinyModels.js';
import { refusalOf } from '../support/methodFit.js';
import { Decoder, type GenerateOptions } from '../support/decoder.js';

const PROMPT = [5, 9, 30, 2];
const NEW_TOKENS = 8;

/** Logits of each of the rows' own tokens. The rows are packed into one sequence, or one sequence each with padding. */
function logitsOf(model: CausalLm, rows: number[][], packed: boolean, adapter?: Adapter): number[][] {
  const encoded = rows.map(ids => ({ inputIds: Int32Array.from(ids), labels: Int32Array.from(ids) }));
  const numbers = [...rows.keys()];
  const { vocabSize } = model.architecture;
  const batch = makeBatch(
    { sequences: packed ? [numbers] : numbers.map(row => [row]) },
    { get: i => encoded[i]!, lengthOf: i => rows[i]!.length },
    { virtualTokens: adapter?.forwardOptions.hooks.virtualTokens?.count ?? 0, firstVirtualId: vocabSize },
  );
  const options = adapter?.forwardOptions ?? {};
  const logits = tf.tidy(() => model.logits(model.forward(modelInput(batch), options), options).arraySync());
  return logits.filter((_, at) => batch.segmentIds[at] !== 0 && batch.inputIds[at]! < vocabSize);
}

function greedy(logits: number[]): number {
  return logits.indexOf(Math.max(...logits));
}

function largestDifference(a: number[][], b: number[][]): number {
  expect(a.length).toBe(b.length);
  return Math.max(...a.map((row, i) => Math.max(...row.map((value, j) => Math.abs(value - b[i]![j]!)))));
}

/** With values that change the model's output, so that a hook missing in decoding is noticed. */
function attachAltered(model: CausalLm, method: (typeof peftMethods)[number]): Adapter {
  const rng = createRng(8);
  return Adapter.attach(new AttachedMethod(method, method.schema.parse({}), model.architecture), model, {
    purpose: 'inference',
    rng,
    values: ({ key, shape }) => {
      const draw = rng.fork(key);
      return Float32Array.from({ length: sizeOf(shape) }, () => 0.5 * draw.normal());
    },
  });
}

const GREEDY = { stopTokenIds: [] };

async function decode(
  model: CausalLm,
  options: Partial<GenerateOptions>,
  adapter: Adapter | null = null,
  prompt = PROMPT,
) {
  const decoder = new Decoder({ model, adapter, compile: false });
  const ids = await decoder.generate(prompt, { ...GREEDY, maxNewTokens: NEW_TOKENS, ...options });
  decoder.dispose();
  return ids;
}

async function expectDecodingAgrees(model: CausalLm, adapter?: Adapter): Promise<void> {
  const ids = await decode(model, {}, adapter);
  const whole = [...PROMPT];
  for (let i = 0; i < NEW_TOKENS; i++) whole.push(greedy(logitsOf(model, [whole], false, adapter).at(-1)!));
  expect(ids).toEqual(whole.slice(PROMPT.length));
}

beforeAll(async () => {
  await openBackend({ backend: 'tensorflow', threads: null, onWarning: () => {} });
});

describe.each(modelFamilies.map(family => family.modelType))('%s', modelType => {
  const fitting = peftMethods.filter(method => refusalOf(method, tinyArchitecture(modelType)) === null);

  it('has one linear module for each linear weight, and a head', () => {
    const tied = tinyArchitecture(modelType);
    const untied = tinyArchitecture(modelType, { tie_word_embeddings: false });
    expect(countParameters(untied) - countParameters(tied)).toBe(tied.vocabSize * tied.hiddenSize);
    for (const { linears, parameters, head, embedding, layers: specs } of [tied, untied]) {
      const names = new Set(parameters.map(({ name }) => name));
      expect(names.size).toBe(parameters.length);
      expect(names).toContain(`${embedding}.weight`);
      expect(linears.at(-1)!.name).toBe(head);
      for (const { name, hasBias, conv1d, inFeatures, outFeatures } of linears.slice(0, -1)) {
        const weight = parameters.find(parameter => parameter.name === `${name}.weight`);
        expect(weight?.shape, name).toEqual(conv1d ? [inFeatures, outFeatures] : [outFeatures, inFeatures]);
        expect(names.has(`${name}.bias`), name).toBe(hasBias);
      }
      const layers = new Set(parameters.map(({ layer }) => layer));
      expect([...layers].toSorted()).toEqual([...specs.keys(), null].toSorted());
    }
  });

  it.each<[string, Record<string, unknown>]>([
    ['untied', { tie_word_embeddings: false }],
    ['with rare parts', RARE_PARTS],
    ...windowVariants(modelType, 3).map((changes): [string, typeof changes] => [JSON.stringify(changes), changes]),
  ])('decodes the same with a cache as without: %s', async (_, changes) => {
    const before = tf.memory().numTensors;
    const model = tinyModel(modelType, changes);
    await expectDecodingAgrees(model);
    model.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it.each(fitting.map(method => method.peftType))('decodes the same with a cache as without: %s', async peftType => {
    const method = peftMethods.find(candidate => candidate.peftType === peftType)!;
    for (const changes of windowVariants(modelType, 24)) {
      const model = tinyModel(modelType, changes);
      const adapter = attachAltered(model, method);
      await expectDecodingAgrees(model, adapter);
      adapter.dispose();
      model.dispose();
    }
  });

  it.each([null, ...fitting.map(method => method.peftType)])('packed rows attend only to themselves: %s', peftType => {
    const rows = [
      [5, 9, 30, 2, 17],
      [7, 7],
      [22, 3, 40, 8],
    ];
    for (const changes of windowVariants(modelType, 3)) {
      const model = tinyModel(modelType, changes);
      const method = peftMethods.find(candidate => candidate.peftType === peftType);
      const adapter = method && attachAltered(model, method);
      const alone = rows.flatMap(row => logitsOf(model, [row], false, adapter));
      const scale = Math.max(...alone.flat().map(Math.abs));
      expect(largestDifference(logitsOf(model, rows, true, adapter), alone) / scale).toBeLessThan(1e-5);
      expect(largestDifference(logitsOf(model, rows, false, adapter), alone) / scale).toBeLessThan(1e-5);
      adapter?.dispose();
      model.dispose();
    }
  });

  it('attends as far back as its window', () => {
    // A single layer, since each further one extends the reach by a window.
    const windows = { sliding_window: 3, use_sliding_window: true, max_window_layers: 0 };
    const model = tinyModel(modelType, { ...windows, num_hidden_layers: 1, n_layer: 1 });
    const ids = [5, 9, 30, 2, 17, 41];
    const [first, other] = [ids, [6, ...ids.slice(1)]].map(row => logitsOf(model, [row], false));
    const sees = first!.map((row, i) => row.some((value, j) => value !== other![i]![j]));
    const window = model.architecture.layers[0]!.attention.window ?? ids.length;
    expect(sees).toEqual(ids.map((_, i) => i < window));
    model.dispose();
  });

  it('samples the same from the same seed, and ends at a stop token', async () => {
    const model = tinyModel(modelType);
    const draw = (seed: number, stopTokenIds: number[] = []) =>
      decode(model, { maxNewTokens: 12, stopTokenIds, temperature: 2, top_p: 0.9, seed });
    const drawn = await draw(1);
    expect(await draw(1)).toEqual(drawn);
    expect(await draw(2)).not.toEqual(drawn);
    const stop = drawn[5]!;
    expect(await draw(1, [stop])).toEqual(drawn.slice(0, drawn.indexOf(stop)));
    model.dispose();
  });

  it('ends at its last position', async () => {
    const model = tinyModel(modelType, { max_position_embeddings: 10, n_positions: 10 });
    expect(await decode(model, { maxNewTokens: 50 })).toHaveLength(6);
    const prompt = Array.from({ length: 10 }, () => 1);
    const error = await inputErrorOfPrompt(() => decode(model, { maxNewTokens: 50 }, null, prompt));
    expect(error).toMatch(/10 tokens/);
    model.dispose();
  });

  it('names each missing or invalid key of config.json', async () => {
    const config = tinyConfig(modelType);
    const needed = Object.keys(config).filter(key => {
      const { [key]: _left, ...rest } = config;
      try {
        architectureOf(rest, 'config.json');
        return false;
      } catch {
        return key !== 'model_type';
      }
    });
    expect(needed.length).toBeGreaterThan(3);
    for (const key of needed)
      for (const value of [undefined, 'many', -1, 0.5, 1e12]) {
        const error = await inputErrorOf(() => architectureOf({ ...config, [key]: value }, 'folder/config.json'));
        expect(error.where).toMatch(/^folder\/config\.json(: |$)/);
        expect(error.describe()).toContain(key);
      }
  });
});

/** A prompt isn't in a file, so its errors have no place. */
async function inputErrorOfPrompt(f: () => unknown): Promise<string> {
  try {
    await f();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('nothing was thrown');
}

it('has a family with different layers', () => {
  const kinds = modelFamilies.flatMap(({ modelType }) =>
    windowVariants(modelType, 3).map(changes => {
      const windows = tinyArchitecture(modelType, changes).layers.map(({ attention }) => attention.window);
      return new Set(windows).size;
    }),
  );
  expect(Math.max(...kinds)).toBe(2);
});

it('refuses an unknown model_type and lists the supported ones', async () => {
  for (const modelType of ['bert', undefined, 7]) {
    const error = await inputErrorOf(() => architectureOf({ model_type: modelType }, 'folder/config.json'));
    for (const family of modelFamilies) expect(error.hint).toContain(family.modelType);
  }
});
