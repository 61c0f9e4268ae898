// Combinations of LoRA adapters against PEFT's add_weighted_adapter (test/fixtures/combinations/make.py): factors, or after an SVD
// their product; options, ranks and modules; what is refused.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Matrix } from 'ml-matrix';
import { afterAll, describe, expect, it } from 'vitest';
import { openSafetensors, writeSafetensors } from '../../../../extension/src/engine/files/safetensors.js';
import { openHuggingFaceFolder } from '../../../../extension/src/engine/files/huggingfaceFolder.js';
import { architectureOfFiles } from '../../../../extension/src/engine/models/loadModel.js';
import { checkAdapterTensors, openAdapter, planOfSaved } from '../../../../extension/src/engine/peft/adapterFiles.js';
import { combineAdapters, type CombineSettings } from '../../../../extension/src/engine/peft/combineAdapters.js';
import {
  combinationTypes,
  combineModule,
  type CombinationOptions,
} from '../../../../extension/src/engine/peft/combineLora.js';
import { createRng } from '../../../../extension/src/engine/data/rng.js';
import { truncatedSvd } from '../../../../extension/src/engine/peft/lowRank.js';
import { inputErrorOf } from '../../../support/inputErrors.js';

interface Recorded {
  name: string;
  adapters: string[];
  weights: number[];
  options: CombinationOptions;
  r: number;
  limits?: Record<string, [number, number]>;
}

const FIXTURES = 'test/fixtures/combinations';
const recorded = JSON.parse(readFileSync(join(FIXTURES, 'cases.json'), 'utf8')) as Recorded[];
const expected = openSafetensors(join(FIXTURES, 'expected.safetensors')).tensors;
const temporary = mkdtempSync(join(tmpdir(), 'tunewright-combine-'));
afterAll(() => rmSync(temporary, { recursive: true }));
let outputs = 0;

const stored = (name: string) => join(FIXTURES, name);

/** Combines stored adapters (names) or folders, and reads what was written. */
async function combine(
  adapters: Record<string, number> | [string, number][],
  options: CombinationOptions,
  keepRandom?: CombineSettings['keepRandom'],
) {
  const out = join(temporary, String(outputs++));
  const weighted = (Array.isArray(adapters) ? adapters : Object.entries(adapters)).map(([name, weight]) => ({
    folder: existsSync(name) ? name : stored(name),
    weight,
  }));
  const answer = await combineAdapters({ adapters: weighted, options, out, ...(keepRandom && { keepRandom }) });
  const config = JSON.parse(readFileSync(join(out, 'adapter_config.json'), 'utf8')) as Record<string, any>;
  const { tensors, close } = openSafetensors(join(out, 'adapter_model.safetensors'));
  const values = new Map([...tensors].map(([key, { shape, readFloat32 }]) => [key, { shape, values: readFloat32() }]));
  close();
  return { answer, out, config, tensors: values };
}
type Tensors = Awaited<ReturnType<typeof combine>>['tensors'];

function close(actual: ArrayLike<number>, right: ArrayLike<number>, what: string, tolerance = 2e-6): void {
  expect(actual.length, what).toBe(right.length);
  const largest = Array.from(right).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  for (let i = 0; i < right.length; i++)
    if (!(Math.abs(actual[i]! - right[i]!) <= tolerance * largest))
      expect.fail(`${what}[${i}]: ${actual[i]} is not ${right[i]}`);
}

const nameOfB = (key: string) => key.replace('.lora_A.', '.lora_B.').replace('.lora_embedding_A', '.lora_embedding_B');
const namesOfA = (tensors: ReadonlyMap<string, unknown>) =>
  [...tensors.keys()].filter(key => /\.lora_(embedding_)?A/.test(key));

function productIn(tensors: Tensors, keyOfA: string): number[] {
  const [a, b] = [tensors.get(keyOfA)!, tensors.get(nameOfB(keyOfA))!];
  const matrix = ({ shape, values }: typeof a) => Matrix.from1DArray(shape[0]!, shape[1]!, values);
  return matrix(b).mmul(matrix(a)).to1DArray();
}

/** PEFT's result, and its masks by module. */
function recordedOf(name: string): { tensors: Tensors; masks: Map<string, Float32Array> } {
  const tensors: Tensors = new Map();
  const masks = new Map<string, Float32Array>();
  for (const [key, { shape, readFloat32 }] of expected) {
    if (!key.startsWith(`${name}/`)) continue;
    const rest = key.slice(name.length + 1);
    if (rest.endsWith('/kept')) masks.set(rest.slice(0, -'/kept'.length), readFloat32());
    else tensors.set(rest, { shape, values: readFloat32() });
  }
  return { tensors, masks };
}

describe('equal to PEFT', () => {
  it('has cases of every type', () => {
    expect(new Set(recorded.map(({ options }) => options.combination_type))).toEqual(new Set(combinationTypes));
  });

  it.each(recorded.filter(({ limits }) => !limits))('$name', async ({ name, adapters, weights, options, r }) => {
    const right = recordedOf(name);
    const keepRandom = (module: string) => {
      let used = 0;
      return (size: number) => right.masks.get(module)!.subarray(used, (used += size));
    };
    const pairs = adapters.map((adapter, i): [string, number] => [adapter, weights[i]!]);
    const { answer, config, tensors } = await combine(pairs, options, keepRandom);
    expect([answer.rank, config['r'], config['lora_alpha']]).toEqual([r, r, r]);
    expect(namesOfA(tensors).toSorted()).toEqual(namesOfA(right.tensors).toSorted());
    for (const key of namesOfA(right.tensors)) {
      if (options.combination_type.endsWith('svd') && adapters.length > 1)
        close(productIn(tensors, key), productIn(right.tensors, key), key, 1e-5);
      else
        for (const factor of [key, nameOfB(key)]) {
          expect(tensors.get(factor)!.shape, factor).toEqual(right.tensors.get(factor)!.shape);
          close(tensors.get(factor)!.values, right.tensors.get(factor)!.values, factor);
        }
    }
  });

  it.each(recorded.filter(({ limits }) => limits))(
    '$name: the threshold is among those of PEFT for either sign of the singular vectors',
    async ({ adapters, weights, options, limits }) => {
      const { tensors } = await combine(Object.fromEntries(adapters.map((name, i) => [name, weights[i]!])), options);
      for (const key of namesOfA(tensors)) {
        const [least, most] = limits![key.slice('base_model.model.'.length, -'.lora_A.weight'.length)]!;
        const sizes = [key, nameOfB(key)].flatMap(name => [...tensors.get(name)!.values].map(Math.abs));
        const largest = Math.max(...sizes);
        expect(largest).toBeGreaterThanOrEqual(least);
        expect(largest).toBeLessThanOrEqual(most);
        expect(sizes.filter(size => size === largest).length).toBeGreaterThan(10);
      }
    },
  );
});

/** scale · B A of a stored adapter. */
function effect(name: string, keyOfA: string, scale: number): number[] {
  const { tensors } = openSafetensors(join(stored(name), 'adapter_model.safetensors'));
  const read = new Map([...tensors].map(([key, { shape, readFloat32 }]) => [key, { shape, values: readFloat32() }]));
  return read.has(keyOfA) ? productIn(read, keyOfA).map(value => value * scale) : [];
}

describe('what is written', () => {
  it.each(['cat', 'svd'] as const)('%s has scale 1, whichever adapter comes first', async type => {
    const first = await combine(
      { rslora: 0.5, plain: 2 },
      { combination_type: type, ...(type === 'svd' && { svd_rank: 8 }) },
    );
    expect(first.config['use_rslora']).toBe(false);
    for (const key of namesOfA(first.tensors)) {
      const [rslora, plain] = [effect('rslora', key, (0.5 * 5) / Math.sqrt(4)), effect('plain', key, 4)];
      const sum = (rslora.length > 0 ? rslora : plain).map((_, i) => (rslora[i] ?? 0) + (plain[i] ?? 0));
      close(productIn(first.tensors, key), sum, key, 1e-5);
    }
  });

  it('fits the base model, with ranks that differ by module', async () => {
    const model = 'test/fixtures/parity/llama-untied';
    const architecture = architectureOfFiles(openHuggingFaceFolder(model, model));
    for (const [adapters, type] of [
      [{ 'patterns-2': 1, patterns: 0.5 }, 'linear'],
      [{ patterns: 1, rslora: 0.5 }, 'cat'],
      [{ 'first-layer': 1, 'second-layer': 0.5 }, 'linear'],
      [{ regex: 1, 'regex-2': 0.5 }, 'svd'],
    ] as const) {
      const { out, answer } = await combine(adapters, { combination_type: type });
      const saved = openAdapter(out, architecture);
      const plan = planOfSaved(saved, 'inference');
      checkAdapterTensors(saved, plan);
      expect(plan).toHaveLength(2 * answer.modules);
      expect(saved.baseModel).toBe(model);
      saved.close();
    }
  });

  it('keeps modules of other layers, which PEFT leaves out', async () => {
    const { tensors } = await combine({ 'first-layer': 1, 'second-layer': 0.5 }, { combination_type: 'cat' });
    const key = 'base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight';
    close(productIn(tensors, key), effect('second-layer', key, 1), key);
  });

  it('ranks above the size of a module are 0', async () => {
    const { tensors } = await combine({ plain: 1, half: 1 }, { combination_type: 'svd', svd_rank: 40 });
    const key = 'base_model.model.model.layers.0.self_attn.v_proj.lora_A.weight';
    expect(tensors.get(key)!.shape).toEqual([40, 32]);
    const [plain, half] = [effect('plain', key, 2), effect('half', key, 1.5)];
    close(
      productIn(tensors, key),
      plain.map((value, i) => value + half[i]!),
      key,
      1e-5,
    );
  });

  it('has an embedding that all adapters share, and refuses one that they don’t', async () => {
    const other = join(temporary, 'other-embedding');
    cpSync(stored('embedding'), other, { recursive: true });
    const { tensors } = openSafetensors(join(other, 'adapter_model.safetensors'));
    const table = 'base_model.model.model.embed_tokens.base_layer.weight';
    const shared = await combine({ embedding: 1, plain: 1 }, { combination_type: 'cat' });
    expect(shared.tensors.get(table)!.values).toEqual(tensors.get(table)!.readFloat32());
    writeSafetensors(
      join(other, 'adapter_model.safetensors'),
      [...tensors.values()].map(({ name, shape, readFloat32 }) => ({
        ...{ name, shape, dtype: 'F32' as const },
        data: name === table ? readFloat32().map(value => value + 1) : readFloat32(),
      })),
    );
    const error = await inputErrorOf(() => combine({ embedding: 1, [other]: 1 }, { combination_type: 'cat' }));
    expect(error.record().key).toBe(table);
  });

  it('DARE keeps the same values for the same seed, about as many as the density says', async () => {
    const options = { combination_type: 'dare_linear', density: 0.25 } as const;
    const kept = async (seed: number) => {
      const { tensors } = await combine({ plain: 1, 'first-layer': 0 }, { ...options, seed });
      return [...tensors.values()].flatMap(({ values }) => [...values]);
    };
    const first = await kept(1);
    expect(await kept(1)).toEqual(first);
    expect(await kept(2)).not.toEqual(first);
    const zeros = first.filter(value => value === 0).length / first.length;
    expect(zeros).toBeGreaterThan(0.7);
    expect(zeros).toBeLessThan(0.8);
  });
});

describe('refused', () => {
  const changed = (name: string, changes: Record<string, unknown>): string => {
    const folder = join(temporary, `changed-${outputs++}`);
    cpSync(stored(name), folder, { recursive: true });
    const file = join(folder, 'adapter_config.json');
    writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), ...changes }));
    return folder;
  };
  const cat = { combination_type: 'cat' } as const;
  const two = { plain: 1, half: 1 };

  it.each<
    [what: string, key: string, says: RegExp, adapters: () => Record<string, number>, options: CombinationOptions]
  >([
    ['DoRA', 'use_dora', /DoRA/, () => ({ plain: 1, dora: 1 }), cat],
    ['biases', 'bias', /biases/, () => ({ plain: 1, bias: 1 }), cat],
    ['saved modules', 'modules_to_save', /lm_head/, () => ({ 'saved-head': 1, plain: 1 }), cat],
    ['saved modules of one adapter alone', 'modules_to_save', /lm_head/, () => ({ 'saved-head': 1 }), cat],
    ['other bases', 'base_model_name_or_path', /different base/, () => ({ plain: 1, gpt2: 1 }), cat],
    [
      'other revisions',
      'base_model_name_or_path',
      /v2/,
      () => ({ plain: 1, [changed('half', { revision: 'v2' })]: 1 }),
      cat,
    ],
    [
      'other shapes',
      'base_model.model.model.layers.0.self_attn.v_proj.lora_A.weight',
      /56 inputs.*32/,
      () => ({ plain: 1, [wider()]: 1 }),
      cat,
    ],
    ['a list and a pattern', 'target_modules', /regular expression/, () => ({ plain: 1, regex: 1 }), cat],
    ['another method', 'peft_type', /IA3/, () => ({ plain: 1, 'test/fixtures/parity/llama-untied/ia3': 1 }), cat],
    ['lora_bias', 'lora_bias', /lora_bias/, () => ({ plain: 1, [changed('half', { lora_bias: true })]: 1 }), cat],
    [
      'target_parameters',
      'target_parameters',
      /target_p/,
      () => ({ [changed('half', { target_parameters: ['a'] })]: 1 }),
      cat,
    ],
    [
      'PiSSA',
      'init_lora_weights',
      /pissa/,
      () => ({ plain: 1, [changed('half', { init_lora_weights: 'pissa' })]: 1 }),
      cat,
    ],
    [
      'a rank that is not the config’s',
      'base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight',
      /rank of A is 5/,
      () => ({ plain: 1, [changed('half', { r: 5 })]: 1 }),
      cat,
    ],
    [
      'different ranks',
      'combination_type',
      /4, 6/,
      () => ({ plain: 1, 'patterns-2': 1 }),
      { combination_type: 'linear' },
    ],
    [
      'different ranks in one module',
      'combination_type',
      /4, 2 in .*q_proj/,
      () => ({ [changed('plain', { rank_pattern: { mlp: 6 } })]: 1, 'patterns-2': 1 }),
      { combination_type: 'ties', density: 0.5 },
    ],
    ['a missing density', 'density', /needs a density/, () => two, { combination_type: 'ties' }],
    ['a density above 1', 'density', /20/, () => two, { combination_type: 'ties', density: 20 }],
    ['a density below 0', 'density', /-0.1/, () => two, { combination_type: 'magnitude_prune', density: -0.1 }],
    ['DARE that keeps nothing', 'density', /above 0/, () => two, { combination_type: 'dare_ties_svd', density: 0 }],
    ['density without pruning', 'density', /no effect.*svd/, () => two, { combination_type: 'svd', density: 0.5 }],
    ['svd_rank without SVD', 'svd_rank', /no effect.*cat/, () => two, { ...cat, svd_rank: 4 }],
    [
      'svd_rank of one adapter',
      'svd_rank',
      /single adapter/,
      () => ({ plain: 1 }),
      { combination_type: 'svd', svd_rank: 4 },
    ],
    ['svd_clamp without SVD', 'svd_clamp', /no effect/, () => two, { combination_type: 'linear', svd_clamp: 0.9 }],
    ['svd_clamp below one half', 'svd_clamp', /0\.2/, () => two, { combination_type: 'svd', svd_clamp: 0.2 }],
    ['a seed without DARE', 'seed', /no effect/, () => two, { combination_type: 'linear', seed: 1 }],
    [
      'signs without TIES',
      'majority_sign_method',
      /no effect/,
      () => two,
      { combination_type: 'dare_linear', density: 0.5, majority_sign_method: 'total' },
    ],
  ])('%s', async (_, key, says, adapters, options) => {
    const written = outputs;
    const error = await inputErrorOf(() => combine(adapters(), options));
    expect(error.message).toMatch(says);
    expect(error.record().key).toBe(key);
    for (let i = written; i < outputs; i++) expect(existsSync(join(temporary, String(i)))).toBe(false);
  });

  /** `half` with a v_proj of 56 inputs. */
  function wider(): string {
    return withTensors('half', (name, shape, values) =>
      name.includes('v_proj.lora_A')
        ? { shape: [shape[0]!, 56], data: new Float32Array(shape[0]! * 56) }
        : { shape, data: values },
    );
  }

  function withTensors(
    from: string,
    change: (
      name: string,
      shape: readonly number[],
      values: Float32Array,
    ) => {
      shape: readonly number[];
      data: Float32Array;
    } | null,
  ): string {
    const folder = changed(from, {});
    const path = join(folder, 'adapter_model.safetensors');
    const { tensors, close: closeFile } = openSafetensors(path);
    const entries = [...tensors.values()].flatMap(({ name, shape, readFloat32 }) => {
      const entry = change(name, shape, readFloat32());
      return entry === null ? [] : [{ name, dtype: 'F32' as const, ...entry }];
    });
    closeFile();
    writeSafetensors(path, entries);
    return folder;
  }

  it('non-finite values, a missing factor, a tensor of another kind, a combination that overflows', async () => {
    const broken = withTensors('half', (name, shape, values) => ({
      shape,
      data: name.includes('0.self_attn.q_proj.lora_B') ? values.fill(NaN, 3, 4) : values,
    }));
    expect((await inputErrorOf(() => combine({ plain: 1, [broken]: 1 }, cat))).message).toMatch(/non-finite/);
    const missing = withTensors('half', (name, shape, data) =>
      name.includes('1.self_attn.q_proj.lora_B') ? null : { shape, data },
    );
    expect((await inputErrorOf(() => combine({ plain: 1, [missing]: 1 }, cat))).message).toMatch(
      /lora_B.weight is missing/,
    );
    const tensors = openSafetensors(join(stored('dora'), 'adapter_model.safetensors')).tensors;
    expect([...tensors.keys()].some(key => key.includes('magnitude'))).toBe(true);
    const dora = await inputErrorOf(() => combine({ plain: 1, [changed('dora', { use_dora: false })]: 1 }, cat));
    expect(dora.message).toMatch(/not part of a LoRA adapter/);
    const overflow = await inputErrorOf(() => combine({ plain: 1e80, half: 1 }, { combination_type: 'linear' }));
    expect(overflow.describe()).toMatch(/_proj: the combination has non-finite values/);
  });
});

it('writes nothing into a folder that others have filled meanwhile', async () => {
  const out = join(temporary, 'meanwhile');
  const onProgress = () => {
    mkdirSync(out, { recursive: true });
    writeFileSync(join(out, 'notes.txt'), 'mine');
  };
  const adapters = ['plain', 'half'].map(name => ({ folder: stored(name), weight: 1 }));
  const options = { combination_type: 'cat' } as const;
  const error = await inputErrorOf(() => combineAdapters({ adapters, options, out, onProgress }));
  expect(error.record()).toMatchObject({ file: out, message: 'the folder is not empty' });
  expect(readdirSync(out)).toEqual(['notes.txt']);
});

describe('the arithmetic', () => {
  it.each([
    [12, 7],
    [7, 12],
    [9, 9],
  ])('a truncated SVD of %i x %i is the best approximation', (rows, columns) => {
    const rng = createRng(3);
    const random = (height: number, width: number) =>
      Matrix.from1DArray(
        height,
        width,
        Array.from({ length: height * width }, () => rng.normal()),
      );
    const exact = random(rows, 4).mmul(random(4, columns));
    const { us, vh } = truncatedSvd(exact, 4);
    close(us.mmul(vh).to1DArray(), exact.to1DArray(), 'rank 4', 1e-12);
    close(vh.mmul(vh.transpose()).to1DArray(), Matrix.eye(4).to1DArray(), 'orthonormal', 1e-7);
    // What is left out is orthogonal to what is kept.
    const { us: less, vh: right } = truncatedSvd(exact, 2);
    const rest = Matrix.sub(exact, less.mmul(right));
    close([rest.mmul(right.transpose()).norm(), less.transpose().mmul(rest).norm(), 1], [0, 0, 1], 'rest', 1e-10);
  });

  it('of equal values at the limit of a density, exactly as many are kept as it says', () => {
    const part = { a: Float32Array.of(1, -1, 1, -1, 1), b: Float32Array.of(2), rank: 1, scale: 1, weight: 1 };
    const size = { module: 'm', inFeatures: 5, outFeatures: 1 };
    const options = { combination_type: 'magnitude_prune', density: 0.6 } as const;
    const { a } = combineModule([part, { ...part, weight: 0 }], size, 1, options, () => []);
    expect([...a]).toEqual([1, -1, 1, 0, 0]);
  });
});
