// Adapter configs that PEFT writes: which keys are read, ignored and refused.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { ZodObject } from 'zod';
import { writeSafetensors } from '../../../../extension/src/engine/files/safetensors.js';
import { COMMON_KEYS } from '../../../../extension/src/engine/peft/adapterConfig.js';
import { openAdapter } from '../../../../extension/src/engine/peft/adapterFiles.js';
import { peftMethod, peftMethods } from '../../../../extension/src/engine/peft/registry.js';
import { inputErrorOf } from '../../../support/inputErrors.js';
import { tinyArchitecture } from '../../../support/tinyModels.js';

const folder = mkdtempSync(join(tmpdir(), 'tunewright-adapter-'));
afterAll(() => rmSync(folder, { recursive: true }));

function open(config: Record<string, unknown>, onWarning?: (code: string, message: string) => void) {
  writeSafetensors(join(folder, 'adapter_model.safetensors'), []);
  writeFileSync(join(folder, 'adapter_config.json'), JSON.stringify(config));
  const saved = openAdapter(folder, tinyArchitecture('llama'), { onWarning });
  saved.close();
  return saved;
}

it('requires only peft_type, like PEFT', () => {
  expect(open({ peft_type: 'LORA' })).toMatchObject({
    baseModel: null,
    attached: { config: { r: 8, lora_alpha: 8, bias: 'none' } },
  });
});

it.each([
  ['LOHA', { r: 8, alpha: 8 }],
  ['VERA', { r: 256, d_initial: 0.1, projection_prng_key: 0, save_projection: true, bias: 'none' }],
])('%s has PEFT’s defaults', (peftType, config) => {
  expect(open({ peft_type: peftType })).toMatchObject({ attached: { config } });
});

it('ignores keys that change nothing', () => {
  const unused = { megatron_config: null, loftq_config: {}, eva_config: null, corda_config: null, lora_bias: false };
  expect(
    open({ peft_type: 'LORA', r: 4, some_new_key: null, trainable_token_indices: null, ...unused }).attached.config,
  ).toMatchObject({ r: 4 });
});

it.each([
  ['LORA', 'layer_replication', [[0, 2]]],
  ['LORA', 'trainable_token_indices', [1, 2]],
  ['LORA', 'target_parameters', ['x']],
  ['LORA', 'lora_bias', true],
  ['LORA', 'init_lora_weights', 'pissa'],
  ['LOHA', 'rank_dropout', 0.1],
  ['LOHA', 'module_dropout', 0.1],
  ['LORA', 'init_lora_weights', 'pissa_niter_16'],
  ['LORA', 'init_lora_weights', 'olora'],
  ['LORA', 'init_lora_weights', 'corda'],
  ['LORA', 'init_lora_weights', 'loftq'],
  ['LORA', 'init_lora_weights', 'lora_ga'],
  ['LORA', 'layers_pattern', 'h'],
  ['LOHA', 'layers_pattern', 'h'],
  ['VERA', 'layers_pattern', ['blocks']],
])('refuses %s with %s, which changes what it computes', async (peftType, key, value) => {
  const error = await inputErrorOf(() => open({ peft_type: peftType, [key]: value }));
  expect(error.message).toContain(key);
  expect(error.where).toContain('adapter_config.json');
});

it.each([undefined, null, 7, 'BOFT'])('refuses a peft_type of %j', async peftType => {
  expect((await inputErrorOf(() => open({ peft_type: peftType }))).hint).toContain('LORA');
});

it.each(['eva', 'orthogonal', 'mica', 'gaussian', false])(
  'loads an adapter initialized with %j: its base is the same',
  init => {
    expect(open({ peft_type: 'LORA', init_lora_weights: init }).attached.config).toMatchObject({ r: 8 });
  },
);

// Recorded from PEFT's classes by test/fixtures/adapters/make.py.
const keys = JSON.parse(readFileSync('test/fixtures/adapters/keys.json', 'utf8')) as Record<
  string,
  Record<string, unknown>
>;

it('PEFT’s keys are recorded for every method that PEFT has', () => {
  expect(Object.keys(keys).toSorted()).toEqual(
    peftMethods.flatMap(({ peftType, otherKeys }) => (otherKeys ? [peftType] : [])).toSorted(),
  );
});

describe.each(Object.entries(keys))('%s', (peftType, defaults) => {
  const { otherKeys, schema } = peftMethod(peftType)!;
  const { withoutEffect, refused } = otherKeys!;
  const implemented = Object.keys((schema as unknown as ZodObject).shape);

  it('every key of PEFT’s config class is implemented, without effect, or refused', () => {
    const listed = [...COMMON_KEYS, ...implemented, ...withoutEffect, ...refused];
    expect(Object.keys(defaults).filter(key => !listed.includes(key))).toEqual([]);
    const twice = listed.filter((key, i) => listed.indexOf(key) !== i);
    expect(twice.filter(key => !implemented.includes(key) || refused.includes(key))).toEqual([]);
    expect([...withoutEffect, ...refused].filter(key => !(key in defaults))).toEqual([]);
  });

  it('PEFT’s defaults are accepted without a warning', () => {
    const required = peftType.endsWith('TUNING') ? { num_virtual_tokens: 4 } : {};
    const warnings: string[] = [];
    open({ ...defaults, peft_type: peftType, ...required }, (_, message) => void warnings.push(message));
    expect(warnings).toEqual([]);
  });

  it.each(refused)('%s is refused by name', async key => {
    const value = typeof defaults[key] === 'number' ? 0.5 : Array.isArray(defaults[key]) ? [1] : { any: 1 };
    const error = await inputErrorOf(() => open({ num_virtual_tokens: 4, peft_type: peftType, [key]: value }));
    expect(error.message).toBe(`${key} is not supported`);
    expect(error.hint).toMatch(/merge_and_unload/);
  });
});

it('warns of keys that no version of PEFT known here has', () => {
  const warnings: string[] = [];
  open({ peft_type: 'LORA', some_new_key: { a: 1 }, other: null }, (_, message) => void warnings.push(message));
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toMatch(/adapter_config\.json: ignored unknown keys: some_new_key$/);
});
