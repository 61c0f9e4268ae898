// Captured decoding compared with eager decoding, for every method of the registry on every model family: the same
// tokens and logits, with a growing cache, while the adapter's tensors change; no leaks.
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openBackend } from '../../extension/src/engine/backend/openBackend.js';
import { createRng } from '../../extension/src/engine/data/rng.js';
import { StepGraphs } from '../../extension/src/engine/generation/stepGraphs.js';
import { EagerReader, type Prediction } from '../../extension/src/engine/generation/tokenReader.js';
import { sizeOf } from '../../extension/src/engine/models/architecture.js';
import type { CausalLm } from '../../extension/src/engine/models/causalLm.js';
import { modelFamilies } from '../../extension/src/engine/models/registry.js';
import { Adapter } from '../../extension/src/engine/peft/adapter.js';
import { AttachedMethod } from '../../extension/src/engine/peft/attachedMethod.js';
import { peftMethods } from '../../extension/src/engine/peft/registry.js';
import { someOf } from '../support/matrix.js';
import { RARE_PARTS, tinyArchitecture, tinyModel, windowVariants } from '../support/tinyModels.js';
import { refusalOf } from '../support/methodFit.js';
import { CapturedReader, Decoder } from '../support/decoder.js';

const PROMPT = [5, 9, 30, 2];
const GREEDY = { stopTokenIds: [] };
/** More positions than the smallest cache holds. */
const ROOM = { max_position_embeddings: 512, n_positions: 512 };

/** With values that change the model's output, so that a hook missing in decoding is noticed. */
function attachAltered(model: CausalLm, method: (typeof peftMethods)[number], config: unknown): Adapter {
  const rng = createRng(8);
  return Adapter.attach(new AttachedMethod(method, config, model.architecture), model, {
    purpose: 'inference',
    rng,
    values: ({ key, shape }) => {
      const draw = rng.fork(key);
      return Float32Array.from({ length: sizeOf(shape) }, () => 0.5 * draw.normal());
    },
  });
}

/** Every method with its defaults, and variants that take a different path through the forward pass. */
const cases = modelFamilies.flatMap(({ modelType }, turn) => {
  const [alone, ...adapted] = [null, ...peftMethods].flatMap(method => {
    if (method && refusalOf(method, tinyArchitecture(modelType))) return [];
    const keys = Object.keys((method?.schema as { shape?: object } | undefined)?.shape ?? {});
    const variants: Record<string, unknown>[] = [{}];
    if (keys.includes('use_dora')) variants.push({ use_dora: true }, { modules_to_save: ['lm_head'] });
    return variants.map(variant => ({
      family: modelType,
      method,
      name: `${method?.peftType ?? 'no adapter'} ${JSON.stringify(variant)}`,
      config: method?.schema.parse(variant),
    }));
  });
  return [alone!, ...someOf(adapted, turn)];
});

beforeAll(async () => {
  await openBackend({ backend: 'tensorflow', threads: null, onWarning: () => {} });
});

describe('captured decoding', () => {
  let worst = 0;
  afterAll(() => console.log('captured and eager decoding, largest relative difference of a logit:', worst));

  function compare(expected: Prediction, actual: Prediction, at: number): number {
    const [logits, others] = [expected, actual].map(({ logits }) => logits.dataSync() as Float32Array);
    const scale = Math.max(...logits!.map(Math.abs));
    const off = Math.max(...logits!.map((value, i) => Math.abs(value - others![i]!))) / scale;
    worst = Math.max(worst, off);
    expect(off, `logits of token ${at}`).toBeLessThan(1e-4);
    const [id] = expected.likeliest.dataSync();
    tf.dispose([...Object.values(expected), ...Object.values(actual)]);
    return id!;
  }

  /** Eight tokens, each the likeliest of the one before. Ends both readers. */
  async function compareTokens(eager: EagerReader, captured: CapturedReader): Promise<void> {
    let id = 7;
    for (let i = 0; i < 8; i++) id = compare(eager.read([id]), await captured.read(id), i);
    eager.dispose();
    captured.dispose();
  }

  test.each(cases)('$family with $name equals eager decoding', async ({ family, method, config }) => {
    const before = tf.memory().numTensors;
    // XLA takes seconds per graph: it compiles every method on one family, and one method on every family.
    const compiles = family === modelFamilies[0]!.modelType || method === peftMethods[0];
    const windows = windowVariants(family, 24);
    const plain = new Set([windows[0]!, windows.at(-1)!, ...(method ? [] : [RARE_PARTS])]);
    const ways = [...plain].map(changes => [changes, false] as const);
    for (const [changes, xla] of [...ways, ...(compiles ? [[windows.at(-1)!, true] as const] : [])]) {
      const model = tinyModel(family, { ...ROOM, ...changes });
      const adapter = method && attachAltered(model, method, config);
      const { hooks } = adapter?.forwardOptions ?? {};
      const virtual = hooks?.virtualTokens?.count ?? 0;
      const prompt = [...Array.from({ length: virtual }, (_, i) => model.architecture.vocabSize + i), ...PROMPT];
      const graphs = new StepGraphs(model, xla);
      const start = () => {
        const reader = new EagerReader(model, adapter?.forwardOptions ?? {});
        Object.values(reader.read(prompt)).forEach(tensor => (tensor as tf.Tensor).dispose());
        return reader;
      };
      // The second round has different values in the adapter's tensors: a graph must not keep the old ones.
      for (let round = 0; round < 2; round++) {
        const eager = start();
        const begun = start();
        const captured = new CapturedReader(graphs, adapter, begun.cache);
        begun.dispose();
        await compareTokens(eager, captured);
        for (const variable of adapter?.variables.values() ?? []) {
          const changed = tf.tidy(() => tf.mul(variable, 0.8));
          variable.assign(changed);
          changed.dispose();
        }
      }
      expect(graphs.count).toBe(1);
      graphs.dispose();
      adapter?.dispose();
      model.dispose();
    }
    expect(tf.memory().numTensors).toBe(before);
  });

  const formats = ['bfloat16', 'int8', 'int4'] as const;
  const bases = modelFamilies.flatMap(({ modelType }) => formats.map(format => [modelType, format] as const));

  test.each(bases)('%s on a base in %s equals eager decoding', async (family, base_weights) => {
    const before = tf.memory().numTensors;
    const lora = peftMethods.find(({ peftType }) => peftType === 'LORA')!;
    const model = tinyModel(family, ROOM, 1, { base_weights, precision: 'float32' });
    const adapter = attachAltered(model, lora, lora.schema.parse({}));
    const graphs = new StepGraphs(model);
    const eager = new EagerReader(model, adapter.forwardOptions);
    tf.dispose(Object.values(eager.read(PROMPT)));
    const begun = new EagerReader(model, adapter.forwardOptions);
    tf.dispose(Object.values(begun.read(PROMPT)));
    const captured = new CapturedReader(graphs, adapter, begun.cache);
    begun.dispose();
    await compareTokens(eager, captured);
    graphs.dispose();
    adapter.dispose();
    model.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  test.each(modelFamilies.map(family => family.modelType))('%s outgrows the smallest cache', async family => {
    const model = tinyModel(family, ROOM);
    const answers: number[][] = [];
    for (const compile of [false, true]) {
      const decoder = new Decoder({ model, adapter: null, compile, eagerTokens: 2 });
      answers.push(await decoder.generate(PROMPT, { ...GREEDY, maxNewTokens: 300 }));
      decoder.dispose();
    }
    expect(answers[1]).toEqual(answers[0]);
    expect(answers[0]).toHaveLength(300);
    model.dispose();
  });

  test('answer after answer takes no more tensors and no more bytes', async () => {
    const model = tinyModel('llama', ROOM);
    const decoder = new Decoder({ model, adapter: null, compile: true, eagerTokens: 0 });
    const answer = () => decoder.generate(PROMPT, { ...GREEDY, maxNewTokens: 200 });
    await answer();
    const { numTensors, numBytes } = tf.memory();
    for (let i = 0; i < 10; i++) await answer();
    expect(tf.memory()).toMatchObject({ numTensors, numBytes });
    decoder.dispose();
    model.dispose();
  });

  test('an op that cannot be captured is named once, and decoding continues', async () => {
    const model = tinyModel('llama', ROOM);
    const sublayer = (_layer: number, _kind: string, output: tf.Tensor2D) => tf.atan(output) as tf.Tensor2D;
    const odd = { ...peftMethods[0]!, schema: peftMethods[0]!.schema, plan: () => [], hooks: () => ({ sublayer }) };
    const adapter = Adapter.attach(new AttachedMethod(odd, {}, model.architecture), model, {
      purpose: 'inference',
      rng: createRng(0),
    });
    const warnings: string[] = [];
    const onWarning = (code: string, message: string) => warnings.push(`${code}: ${message}`);
    const decoder = new Decoder({ model, adapter, compile: true, eagerTokens: 1, onWarning });
    for (let i = 0; i < 2; i++) expect(await decoder.generate(PROMPT, { ...GREEDY, maxNewTokens: 6 })).toHaveLength(6);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/^not_captured: the op Atan /);
    decoder.dispose();
    const strict = new Decoder({ model, adapter, compile: true, eagerTokens: 1 });
    await expect(strict.generate(PROMPT, { ...GREEDY, maxNewTokens: 6 })).rejects.toThrow(/Atan/);
    model.dispose();
  });
});
