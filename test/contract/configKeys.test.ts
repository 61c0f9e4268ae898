// Every key of config.json in the lists of every family: what is implemented has Transformers' numbers, what is refused
// says so by name, what has no effect changes nothing, and an unknown key is a warning.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { openBackend } from '../../extension/src/engine/backend/openBackend.js';
import { openHuggingFaceFolder } from '../../extension/src/engine/files/huggingfaceFolder.js';
import { allKeys, READ_ELSEWHERE } from '../../extension/src/engine/models/configKeys.js';
import { architectureOf, configWarnings, modelFamilies } from '../../extension/src/engine/models/registry.js';
import {
  baseVariant,
  changesOf,
  configVariants,
  transformersKeys,
  variantLosses,
  writeVariant,
} from '../support/configVariants.js';
import { inputErrorOf } from '../support/inputErrors.js';

const path = mkdtempSync(join(tmpdir(), 'tunewright-configs-'));
afterAll(() => rmSync(path, { recursive: true }));

/** The architecture as JSON, or what is wrong with the config. */
function described(config: Record<string, unknown>): string {
  try {
    return JSON.stringify(architectureOf(config, 'config.json'), (_, value) =>
      value instanceof Float64Array ? [...value] : value,
    );
  } catch (error) {
    return (error as Error).message;
  }
}

describe('numbers of Transformers', () => {
  let largest = 0;
  beforeAll(async () => {
    await openBackend({ backend: 'tensorflow', threads: null, onWarning: () => {} });
  });
  afterAll(() => console.log('largest relative difference of a loss to Transformers:', largest));

  test.each(configVariants.map(variant => [variant.config.model_type, changesOf(variant), variant] as const))(
    '%s %s',
    (_family, changes, variant) => {
      const files = openHuggingFaceFolder(writeVariant(join(path, 'variant'), variant), changes);
      const losses = variantLosses(files);
      files.close();
      losses.forEach((loss, i) => {
        const off = Math.abs(loss - variant.losses[i]!) / (1 + variant.losses[i]!);
        largest = Math.max(largest, off);
        expect(off, `token ${i + 1}: ${loss} instead of ${variant.losses[i]}`).toBeLessThan(2e-5);
      });
    },
  );
});

describe.each(modelFamilies.map(family => [family.modelType, family] as const))('%s', (modelType, { keys }) => {
  const { config: base } = baseVariant(modelType);
  const { implemented, withoutEffect, refused } = allKeys(keys);
  const inert = withoutEffect.filter(key => !READ_ELSEWHERE.includes(key));

  it('has each key in one list, and lists all of Transformers’ own', () => {
    const listed = [...implemented, ...withoutEffect, ...Object.keys(refused)];
    expect(listed.filter((key, i) => listed.indexOf(key) !== i)).toEqual([]);
    expect(transformersKeys[modelType]!.filter(key => !listed.includes(key))).toEqual([]);
    expect(transformersKeys[modelType]!.length).toBeGreaterThan(15);
  });

  it('implements keys whose values change the architecture', () => {
    for (const key of implemented) {
      const changing = configVariants.filter(({ config, tensors }) => {
        if (config.model_type !== modelType || tensors || !(key in config)) return false;
        const { [key]: _own, ...rest } = config;
        const without = key in base ? { ...rest, [key]: base[key] } : rest;
        return described(config) !== described(without);
      });
      expect(changing.length, key).toBeGreaterThan(0);
    }
  });

  it('refuses keys by name, with the reason', async () => {
    for (const [key, { allowed, reason }] of Object.entries(refused)) {
      const error = await inputErrorOf(() => architectureOf({ ...base, [key]: 'foreign' }, 'folder/config.json'));
      expect(error.where).toBe(`folder/config.json: ${key}`);
      expect(error.message).toContain(`${key} "foreign" is not supported: ${reason}`);
      for (const value of [null, ...(typeof allowed === 'function' ? [] : allowed)])
        expect(described({ ...base, [key]: value }), `${key} ${value}`).toBe(described(base));
    }
  });

  it('computes the same whatever the keys without effect are', () => {
    for (const key of inert) {
      const config = { ...base, [key]: 7 };
      expect(described(config), key).toBe(described(base));
      expect(configWarnings(config, 'config.json'), key).toEqual([]);
    }
  });

  it('names unknown keys in one warning', () => {
    expect(configWarnings(base, 'config.json')).toEqual([]);
    const config = { ...base, heads_of_state: 3, second: null };
    expect(configWarnings(config, 'config.json')).toEqual([
      { code: 'config_keys_unknown', message: expect.stringContaining('heads_of_state, second') },
    ]);
    expect(described(config)).toBe(described(base));
  });
});

describe('architectures', () => {
  const config = baseVariant('llama').config;

  it.each([
    'LlamaForSequenceClassification',
    'LlamaForTokenClassification',
    'LlamaForQuestionAnswering',
    'LlamaRewardModel',
  ])('refuses %s', async name => {
    const error = await inputErrorOf(() => architectureOf({ ...config, architectures: [name] }, 'config.json'));
    expect(error.message).toContain(name);
    expect(error.where).toBe('config.json: architectures');
  });

  it.each([
    [['LlamaForCausalLM'], []],
    [[], []],
    [null, []],
    [['LlamaModel'], ['config_architecture']],
    [['QWenLMHeadModel'], ['config_architecture']],
    [['XForCausalLM'], ['config_architecture']],
  ])('%j: warnings %j', (architectures, codes) => {
    const changed = { ...config, architectures };
    expect(described(changed)).toBe(described(config));
    expect(configWarnings(changed, 'config.json').map(({ code }) => code)).toEqual(codes);
  });

  it('says that a model’s own code is not run', () => {
    const changed = { ...config, auto_map: { AutoModelForCausalLM: 'modeling_x.XForCausalLM' } };
    expect(configWarnings(changed, 'config.json').map(({ code }) => code)).toEqual(['config_custom_code']);
  });
});
