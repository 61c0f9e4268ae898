// Sequences that are decoded together compared with each alone, read op by op: every method of the registry on every model
// family, with its matrices held transposed, with base rows, other adapters and prompts of other lengths in the batch; strengths and mixtures; kept prefixes.
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { openBackend } from '../../extension/src/engine/backend/openBackend.js';
import { createRng } from '../../extension/src/engine/data/rng.js';
import { LoraTensors } from '../../extension/src/engine/generation/loraPool.js';
import { Scheduler, type DecodedSequence } from '../../extension/src/engine/generation/scheduler.js';
import { adapterVariant, loraVariant, type Variant } from '../../extension/src/engine/generation/variant.js';
import { keyValueBytes, sizeOf } from '../../extension/src/engine/models/architecture.js';
import type { CausalLm } from '../../extension/src/engine/models/causalLm.js';
import { modelFamilies } from '../../extension/src/engine/models/registry.js';
import { Adapter } from '../../extension/src/engine/peft/adapter.js';
import { AttachedMethod } from '../../extension/src/engine/peft/attachedMethod.js';
import type { LoraForm } from '../../extension/src/engine/peft/method.js';
import { peftMethod, peftMethods } from '../../extension/src/engine/peft/registry.js';
import { someOf } from '../support/matrix.js';
import { refusalOf } from '../support/methodFit.js';
import { tinyArchitecture, tinyModel, transposedModel } from '../support/tinyModels.js';

const ROOM = { max_position_embeddings: 512, n_positions: 512 };
const PROMPTS = [
  [5, 9, 30, 2],
  [7, 7, 1],
  [3, 4, 5, 6, 11, 20, 21, 40, 41],
];
const NEW_TOKENS = 6;
const BASE = loraVariant('', new Map());

beforeAll(async () => {
  await openBackend({ backend: 'tensorflow', threads: null, onWarning: () => {} });
});

/** With values that change the model's output. */
function altered(model: CausalLm, peftType: string, config: unknown = {}, seed = 8): Adapter {
  const method = peftMethod(peftType)!;
  const rng = createRng(seed);
  const attached = new AttachedMethod(method, method.schema.parse(config), model.architecture);
  return Adapter.attach(attached, model, {
    purpose: 'inference',
    rng,
    values: ({ key, shape, frozen }) => {
      const draw = rng.fork(key);
      return frozen ? undefined : Float32Array.from({ length: sizeOf(shape) }, () => 0.5 * draw.normal());
    },
  });
}

async function factorsOf({ attached, tensors }: Adapter): Promise<LoraTensors | null> {
  const form = attached.asLora();
  if (form === null || typeof form === 'string') return null;
  const values = new Map<string, Float32Array>();
  for (const [key, tensor] of tensors) values.set(key, (await tensor.data()) as Float32Array);
  return new LoraTensors(form as LoraForm, key => values.get(key)!);
}

interface Answer extends DecodedSequence {
  ids: number[];
  logits: Float32Array[];
}

async function answer(
  scheduler: Scheduler,
  variant: Variant,
  promptIds: number[],
  tokens = NEW_TOKENS,
  onToken: () => unknown = () => {},
): Promise<Answer> {
  const ids: number[] = [];
  const logits: Float32Array[] = [];
  const decoded = await scheduler.decode({
    variant,
    promptIds,
    maxNewTokens: tokens,
    needsLogits: true,
    next: (likeliest, values) => {
      onToken();
      ids.push(likeliest);
      logits.push(values!.slice());
      return likeliest;
    },
  });
  return { ...decoded, ids, logits };
}

function expectEqual(actual: Answer, expected: Answer, what: string): void {
  expect(actual.ids, what).toEqual(expected.ids);
  for (const [i, values] of expected.logits.entries()) {
    const scale = Math.max(...values.map(Math.abs));
    const off = Math.max(...values.map((value, id) => Math.abs(value - actual.logits[i]![id]!))) / scale;
    expect(off, `${what}: logits of token ${i}`).toBeLessThan(1e-4);
  }
}

const eager = (model: CausalLm) => new Scheduler({ model, compile: false, cacheBytes: 0 });
const captured = (model: CausalLm, eagerTokens = 0) =>
  new Scheduler({ model, compile: true, eagerTokens, cacheBytes: 0 });

const cases = modelFamilies.flatMap(({ modelType }, turn) => {
  const fitting = peftMethods.flatMap(method => {
    if (refusalOf(method, tinyArchitecture(modelType))) return [];
    const variants: Record<string, unknown>[] = [{}];
    if (method.peftType === 'LORA') variants.push({ use_dora: true }, { modules_to_save: ['lm_head'] });
    return variants.map(config => ({ family: modelType, peftType: method.peftType, config }));
  });
  return someOf(fitting, turn);
});

describe('sequences in a batch', () => {
  test.each(cases)('$family: $peftType $config equals each alone', async ({ family, peftType, config }) => {
    const before = tf.memory().numTensors;
    const model = tinyModel(family, ROOM);
    const adapter = altered(model, peftType, config);
    const alone = eager(model);
    const attached = adapterVariant(null, adapter);
    const factors = await factorsOf(adapter);
    const own = factors ? loraVariant('own', new Map([[factors, 1]])) : adapterVariant('own', adapter);
    const held = transposedModel(model);
    const together = captured(held);
    const answers = await Promise.all(
      PROMPTS.flatMap(prompt => [answer(together, own, prompt), answer(together, BASE, prompt)]),
    );
    for (const [i, prompt] of PROMPTS.entries()) {
      expectEqual(answers[2 * i]!, await answer(alone, attached, prompt), `adapter, prompt ${i}`);
      expectEqual(answers[2 * i + 1]!, await answer(alone, BASE, prompt), `base, prompt ${i}`);
    }
    for (const owner of [together, alone, adapter, model, held]) owner.dispose();
    factors?.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  const formats = ['bfloat16', 'int8', 'int4'] as const;

  test.each(formats)('on a base in %s equals each alone', async base_weights => {
    const model = tinyModel('llama', ROOM, 1, { base_weights, precision: 'float32' });
    const adapter = altered(model, 'LORA');
    const factors = (await factorsOf(adapter))!;
    const [together, alone] = [captured(model), eager(model)];
    const variants = [BASE, loraVariant('own', new Map([[factors, 1]]))];
    const answers = await Promise.all(variants.map((variant, i) => answer(together, variant, PROMPTS[i]!)));
    for (const [i, variant] of variants.entries())
      expectEqual(answers[i]!, await answer(alone, variant, PROMPTS[i]!), `sequence ${i}`);
    for (const owner of [together, alone, factors, adapter, model]) owner.dispose();
  });

  test.each([0, 0.3, 1, 2])('a strength of %d equals factors of that size', async strength => {
    const model = tinyModel('llama', ROOM);
    const adapter = altered(model, 'LORA');
    const factors = (await factorsOf(adapter))!;
    for (const [key, variable] of adapter.variables)
      if (key.includes('lora_B')) variable.assign(tf.tidy(() => tf.mul(variable, strength)));
    const [together, alone] = [captured(model), eager(model)];
    const variant = loraVariant('own', new Map([[factors, strength]]));
    const expected = await answer(alone, adapterVariant(null, adapter), PROMPTS[0]!);
    expectEqual(await answer(together, variant, PROMPTS[0]!), expected, 'captured');
    expectEqual(await answer(alone, variant, PROMPTS[0]!), expected, 'eager');
    for (const owner of [together, alone, factors, adapter, model]) owner.dispose();
  });

  test('mixtures, different ranks and modules, soft prompts and the base are one batch', async () => {
    const model = tinyModel('llama', ROOM);
    const adapters = [
      altered(model, 'LORA', { r: 2, target_modules: ['q_proj'] }, 1),
      altered(model, 'LORA', { r: 4, target_modules: ['v_proj', 'down_proj'] }, 2),
      altered(model, 'LORA', { r: 6, target_modules: ['q_proj', 'v_proj'], rank_pattern: { v_proj: 3 } }, 3),
    ];
    const [a, b, c] = (await Promise.all(adapters.map(factorsOf))) as [LoraTensors, LoraTensors, LoraTensors];
    const soft = [altered(model, 'PROMPT_TUNING'), altered(model, 'PREFIX_TUNING')];
    const variants = [
      loraVariant('a', new Map([[a, 1]])),
      loraVariant('b', new Map([[b, 0.5]])),
      loraVariant(
        'mixture',
        new Map([
          [a, 0.7],
          [c, 1.3],
        ]),
      ),
      ...soft.map(adapter => adapterVariant('soft', adapter)),
      BASE,
    ];
    // Eager at first, so that sequences join one after the other.
    const [together, alone] = [captured(model, 7), eager(model)];
    const answers = await Promise.all(variants.map((variant, i) => answer(together, variant, PROMPTS[i % 3]!, 12)));
    for (const [i, variant] of variants.entries())
      expectEqual(answers[i]!, await answer(alone, variant, PROMPTS[i % 3]!, 12), `sequence ${i}`);
    for (const owner of [together, alone, a, b, c, ...adapters, ...soft, model]) owner.dispose();
  });

  test('more sequences than a batch holds, of many lengths, are answered in turn', async () => {
    const model = tinyModel('llama', ROOM);
    const [together, alone] = [captured(model), eager(model)];
    const lengths = Array.from({ length: 20 }, (_, i) => 1 + ((7 * i) % 13));
    const answers = await Promise.all(lengths.map((tokens, i) => answer(together, BASE, [i, 2 * i], tokens)));
    for (const [i, tokens] of lengths.entries()) {
      expect(answers[i]!.outOfRoom).toBe(true);
      expectEqual(answers[i]!, await answer(alone, BASE, [i, 2 * i], tokens), `sequence ${i}`);
    }
    for (const owner of [together, alone, model]) owner.dispose();
  });

  test('wait until there is memory for them, and none is longer than there is memory for one', async () => {
    const model = tinyModel('llama', ROOM);
    // A cache has room for at least 256 tokens.
    const openBytes = 4 * 256 * keyValueBytes(model.architecture);
    const [limited, alone] = [
      new Scheduler({ model, compile: true, eagerTokens: 0, cacheBytes: 0, openBytes }),
      eager(model),
    ];
    const bytes = new Set<number>();
    const answers = await Promise.all(
      Array.from({ length: 9 }, (_, i) =>
        answer(limited, BASE, [i, 2 * i], 3 + i, () => bytes.add(limited.cacheBytes)),
      ),
    );
    expect(Math.max(...bytes)).toBe(openBytes);
    for (const [i, each] of answers.entries())
      expectEqual(each, await answer(alone, BASE, [i, 2 * i], 3 + i), `sequence ${i}`);
    const small = new Scheduler({ model, compile: false, cacheBytes: 0, openBytes: openBytes / 4 });
    expect([small.positions, limited.positions]).toEqual([256, 512]);
    const cut = await answer(small, BASE, [1, 2, 3], 300);
    expect(cut).toMatchObject({ outOfRoom: true, ids: { length: 253 } });
    await expect(answer(small, BASE, new Array(256).fill(1), 1)).rejects.toThrow(
      'the prompt has 256 tokens, but the model reads at most 256',
    );
    for (const owner of [limited, alone, small, model]) owner.dispose();
  });

  test('with a fixed number of places, answers are the same bit for bit, whatever was answered before', async () => {
    const before = tf.memory().numTensors;
    const model = tinyModel('llama', ROOM);
    const fixed = () => new Scheduler({ model, compile: true, rows: 4, cacheBytes: 0 });
    const all = (scheduler: Scheduler) =>
      Promise.all(Array.from({ length: 6 }, (_, i) => answer(scheduler, BASE, [i, 2 * i, 3], 4 + 3 * i)));
    const [fresh, used, alone] = [fixed(), fixed(), eager(model)];
    await answer(used, BASE, PROMPTS[0]!, 70);
    await all(used);
    const first = await all(fresh);
    expect(await all(used)).toEqual(first);
    for (const [i, each] of first.entries())
      expectEqual(each, await answer(alone, BASE, [i, 2 * i, 3], 4 + 3 * i), `sequence ${i}`);
    for (const owner of [fresh, used, alone, model]) owner.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  test('one that fails or is cancelled ends alone', async () => {
    const before = tf.memory().numTensors;
    const model = tinyModel('llama', ROOM);
    const [together, alone] = [captured(model), eager(model)];
    const controller = new AbortController();
    let read = 0;
    const request = { variant: BASE, promptIds: PROMPTS[0]!, maxNewTokens: 50, needsLogits: false };
    const failing = together.decode({
      ...request,
      next: id => {
        if (++read === 3) throw new Error('no more');
        return id;
      },
    });
    const cancelled = together.decode({
      ...request,
      signal: controller.signal,
      next: id => {
        controller.abort();
        return id;
      },
    });
    const going = answer(together, BASE, PROMPTS[1]!, 20);
    await expect(failing).rejects.toThrow('no more');
    await expect(cancelled).rejects.toMatchObject({ code: 'cancelled' });
    expectEqual(await going, await answer(alone, BASE, PROMPTS[1]!, 20), 'the other');
    for (const owner of [together, alone, model]) owner.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('a follow-up', () => {
  const families = modelFamilies.map(({ modelType }) => modelType);
  const methods = [null, 'LORA', 'PROMPT_TUNING', 'PREFIX_TUNING', 'IA3'];
  const turns = families.flatMap((family, turn) => {
    const fitting = methods.filter(type => type === null || !refusalOf(peftMethod(type)!, tinyArchitecture(family)));
    return someOf(fitting, turn).map(type => [family, type] as const);
  });

  test.each(turns)('%s with %s reads only what is new', async (family, type) => {
    const before = tf.memory().numTensors;
    const model = tinyModel(family, ROOM);
    const adapter = type === null ? null : altered(model, type);
    const variant = adapter ? adapterVariant('own', adapter) : BASE;
    for (const compile of [false, true]) {
      const keeping = new Scheduler({ model, compile, eagerTokens: 2 });
      const whole = eager(model);
      const first = await answer(keeping, variant, PROMPTS[2]!, 8);
      expect(first.cachedTokens).toBe(0);
      const history = [...PROMPTS[2]!, ...first.ids];
      const second = await answer(keeping, variant, [...history, 13, 14]);
      // The last token of an answer isn't read.
      expect(second.cachedTokens).toBe(history.length - 1);
      expectEqual(second, await answer(whole, variant, [...history, 13, 14]), 'follow-up');
      const edited = [...history.slice(0, 6), 15, 16, 17];
      const other = await answer(keeping, variant, edited);
      expect(other.cachedTokens).toBe(6);
      expectEqual(other, await answer(whole, variant, edited), 'an earlier turn edited');
      const again = await answer(keeping, variant, history);
      expect(again.cachedTokens).toBe(history.length - 1);
      expectEqual(again, await answer(whole, variant, history), 'the same again');
      keeping.dispose();
      whole.dispose();
    }
    adapter?.dispose();
    model.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  test('prompts that begin together are read together, unless much of one is kept', async () => {
    const model = tinyModel('llama', ROOM);
    const long = Array.from({ length: 70 }, (_, i) => (5 * i) % 48);
    const prompts = [
      [...long, 1],
      [...PROMPTS[0]!, 1],
      [...PROMPTS[1]!, 1],
    ];
    const [together, alone] = [new Scheduler({ model, compile: false }), eager(model)];
    for (const prompt of [long, PROMPTS[0]!, PROMPTS[1]!]) await answer(together, BASE, prompt, 1);
    const answers = await Promise.all(prompts.map(prompt => answer(together, BASE, prompt)));
    expect(answers.map(({ cachedTokens }) => cachedTokens)).toEqual([70, 0, 0]);
    for (const [i, prompt] of prompts.entries())
      expectEqual(answers[i]!, await answer(alone, BASE, prompt), `prompt ${i}`);
    for (const owner of [together, alone, model]) owner.dispose();
  });

  test('keeps no more bytes than allowed, and nothing of another variant', async () => {
    const model = tinyModel('llama', ROOM);
    // 2 layers, keys and values, 2 heads of 4 values.
    const perToken = 2 * 2 * 2 * 4 * 4;
    const scheduler = new Scheduler({ model, compile: false, cacheBytes: 20 * perToken });
    for (let i = 0; i < 4; i++) {
      await answer(scheduler, BASE, [i, 1, 2, 3, 4], 4);
      expect(scheduler.cacheBytes).toBeLessThanOrEqual(20 * perToken);
    }
    expect((await answer(scheduler, BASE, [3, 1, 2, 3, 4, 9])).cachedTokens).toBe(5);
    expect((await answer(scheduler, BASE, [0, 1, 2, 3, 4, 9])).cachedTokens).toBe(0);
    expect((await answer(scheduler, loraVariant('other', new Map()), [3, 1, 2, 3, 4, 9])).cachedTokens).toBe(0);
    scheduler.forget(variant => variant === '');
    expect((await answer(scheduler, BASE, [3, 1, 2, 3, 4, 9])).cachedTokens).toBe(0);
    scheduler.dispose();
    model.dispose();
  });
});

test('answer after answer takes no more tensors and no more bytes', async () => {
  const model = tinyModel('llama', ROOM);
  const scheduler = new Scheduler({ model, compile: true, eagerTokens: 0, cacheBytes: 4096 });
  const round = () => Promise.all(PROMPTS.map(prompt => answer(scheduler, BASE, prompt, 20)));
  for (let i = 0; i < 3; i++) await round();
  const { numTensors, numBytes } = tf.memory();
  for (let i = 0; i < 10; i++) await round();
  expect(tf.memory()).toMatchObject({ numTensors, numBytes });
  scheduler.dispose();
  model.dispose();
});
