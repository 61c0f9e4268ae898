// The modules that a config selects, by PEFT's rules.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  matchesTarget,
  patternValue,
  targetedLinears,
  type TargetConfig,
} from '../../../../extension/src/engine/peft/targets.js';
import { AttachedMethod } from '../../../../extension/src/engine/peft/attachedMethod.js';
import { peftMethod } from '../../../../extension/src/engine/peft/registry.js';
import { unmatchedNames } from '../../../../extension/src/engine/peft/unmatchedNames.js';
import { architectureOf } from '../../../../extension/src/engine/models/registry.js';
import { inputErrorOf } from '../../../support/inputErrors.js';
import { tinyArchitecture } from '../../../support/tinyModels.js';

const llama = tinyArchitecture('llama');
const gpt2 = tinyArchitecture('gpt2');
const names = (config: Partial<TargetConfig>, architecture = llama) =>
  targetedLinears({ target_modules: null, ...config }, architecture, ['q_proj']).map(({ name }) => name);

describe('target_modules', () => {
  it('matches complete last parts of a name, as a list', () => {
    const name = 'model.layers.1.self_attn.q_proj';
    for (const target of ['q_proj', 'self_attn.q_proj', '1.self_attn.q_proj', name])
      expect(matchesTarget(name, [target]), target).toBe(true);
    for (const target of ['proj', '_proj', 'q_pro', 'self_attn', 'layers.1'])
      expect(matchesTarget(name, [target])).toBe(false);
  });

  it('matches full names, as a regular expression', () => {
    const name = 'model.layers.1.self_attn.q_proj';
    for (const target of [String.raw`.*\.(q|v)_proj`, String.raw`model\.layers\.\d+\.self_attn\.q_proj`, '.*'])
      expect(matchesTarget(name, target), target).toBe(true);
    for (const target of ['q_proj', String.raw`.*\.q`, 'model'])
      expect(matchesTarget(name, target), target).toBe(false);
  });

  it('defaults to the family’s targets, and means all modules except the head for all-linear', () => {
    expect(names({})).toEqual(['model.layers.0.self_attn.q_proj', 'model.layers.1.self_attn.q_proj']);
    expect(names({ target_modules: 'all-linear' })).toHaveLength(14);
    expect(names({ target_modules: 'all-linear' })).not.toContain('lm_head');
    expect(names({ target_modules: 'all-linear' }, gpt2)).toHaveLength(8);
    expect(names({ target_modules: ['lm_head'] })).toEqual(['lm_head']);
    expect(names({ target_modules: ['c_proj'] }, gpt2)).toHaveLength(4);
  });

  it('respects layers_to_transform, exclude_modules and modules_to_save', () => {
    expect(names({ layers_to_transform: [1] })).toEqual(['model.layers.1.self_attn.q_proj']);
    expect(names({ layers_to_transform: 0 })).toEqual(['model.layers.0.self_attn.q_proj']);
    expect(names({ exclude_modules: ['layers.0.self_attn.q_proj'] })).toEqual(['model.layers.1.self_attn.q_proj']);
    expect(names({ exclude_modules: String.raw`.*\.0\..*` })).toEqual(['model.layers.1.self_attn.q_proj']);
    expect(names({ target_modules: ['q_proj', 'lm_head'], modules_to_save: ['lm_head'] })).toHaveLength(2);
  });

  it('is refused if no module is left, or if layers are selected in two ways', async () => {
    expect((await inputErrorOf(() => names({ exclude_modules: ['q_proj'] }))).message).toMatch(/no module is left/);
    const both = { target_modules: '.*q_proj', layers_to_transform: [0] };
    expect((await inputErrorOf(() => names(both))).where).toBe('method.target_modules');
  });
});

it('patterns match the end of a name after a dot, and the first match wins', () => {
  const pattern = { 'layers.0.self_attn.q_proj': 2, q_proj: 3, '[kv]_proj': 4 };
  const value = (name: string) => patternValue(pattern, name, 8, 'method.rank_pattern');
  expect(value('model.layers.0.self_attn.q_proj')).toBe(2);
  expect(value('model.layers.1.self_attn.q_proj')).toBe(3);
  expect(value('model.layers.1.self_attn.v_proj')).toBe(4);
  expect(value('model.layers.1.self_attn.o_proj')).toBe(8);
  expect(value('model.layers.1.self_attn.xq_proj')).toBe(8);
});

describe('names that match nothing', () => {
  const found = (peftType: string, config: Record<string, unknown>) => {
    const method = peftMethod(peftType)!;
    const entries = unmatchedNames(new AttachedMethod(method, method.schema.parse(config), llama));
    return Object.fromEntries(entries.map(({ key, message }) => [key, message]));
  };

  it('are listed by key', () => {
    expect(found('LORA', { target_modules: ['q_proj', 'q_prj', 'c_attn'] })).toEqual({
      'method.target_modules': expect.stringMatching(
        /^target_modules: "q_prj", "c_attn" match no module of this model/,
      ),
    });
    expect(found('LORA', { exclude_modules: ['w1', 'layers.0.self_attn.q_proj'] })).toEqual({
      'method.exclude_modules': expect.stringMatching(/"w1" matches no target module and is ignored/),
    });
    expect(found('LORA', { exclude_modules: '.*w1' })).toHaveProperty(['method.exclude_modules']);
    expect(found('LORA', { target_modules: ['q_proj'], layers_to_transform: [1, 7] })).toEqual({
      'method.layers_to_transform': 'layers_to_transform: ignored 7, since the model has layers 0 to 1',
    });
    expect(found('LORA', { rank_pattern: { k_proj: 4, q_proj: 4 }, alpha_pattern: { up_proj: 4 } })).toEqual({
      'method.rank_pattern': expect.stringMatching(/"k_proj" matches no target module/),
      'method.alpha_pattern': expect.stringMatching(/"up_proj"/),
    });
    expect(found('LORA', { modules_to_save: ['score', 'lm_head'] })).toEqual({
      'method.modules_to_save': expect.stringMatching(/"score"/),
    });
    expect(found('IA3', { target_modules: ['q_proj', 'w1'], feedforward_modules: ['w1'] })).toHaveProperty([
      'method.feedforward_modules',
    ]);
    expect(found('IA3', { target_modules: '.*(q_proj|down_proj)', feedforward_modules: ['proj'] })).toEqual({});
  });

  it('are none with the defaults of every method, and with all-linear', () => {
    for (const peftType of ['LORA', 'LOHA', 'VERA', 'IA3', 'PROMPT_TUNING']) expect(found(peftType, {})).toEqual({});
    expect(found('LORA', { target_modules: 'All-Linear', exclude_modules: ['down_proj'] })).toEqual({});
  });
});

it('names a module that can’t be adapted', async () => {
  const embedding = await inputErrorOf(() => names({ target_modules: ['q_proj', 'embed_tokens'] }));
  expect(embedding.message).toMatch(/"model.embed_tokens" is not a linear module/);
  expect(embedding.hint).toMatch(/add "embed_tokens" to modules_to_save/);
  expect((await inputErrorOf(() => names({ target_modules: '.*(q_proj|embed_tokens)' }))).where).toBe(
    'method.target_modules',
  );
});

// Recorded from PEFT by test/fixtures/adapters/make.py.
const recorded = JSON.parse(readFileSync('test/fixtures/adapters/matching.json', 'utf8')) as {
  model: string;
  peft_type: string;
  block: Record<string, unknown>;
  adapted: string[] | null;
}[];

it.each(recorded)(
  'adapts the modules that PEFT adapts: $model $peft_type $block',
  async ({ model, block, ...entry }) => {
    const file = `test/fixtures/parity/${model}/config.json`;
    const architecture = architectureOf(JSON.parse(readFileSync(file, 'utf8')), file);
    const method = peftMethod(entry.peft_type)!;
    const adapted = () => {
      const config = method.fromAdapterConfig({ peft_type: entry.peft_type, ...block }, architecture, file);
      return [...new AttachedMethod(method, config, architecture).placement.linear!.keys()];
    };
    if (entry.adapted) expect(adapted().toSorted()).toEqual(entry.adapted.toSorted());
    else await inputErrorOf(adapted);
  },
);

it('refuses hundreds of expressions, but takes any number of names', () => {
  const keys = (key: (i: number) => string) => Object.fromEntries(Array.from({ length: 201 }, (_, i) => [key(i), 2]));
  const value = (patterns: Record<string, number>) => patternValue(patterns, 'a.q_proj', 8, 'method.rank_pattern');
  expect(value(keys(i => `layers.${i}.q_proj`))).toBe(8);
  expect(() => value(keys(i => `x${i}.*`))).toThrow('more than 200 of its keys are regular expressions');
});

describe('a pattern that never ends', () => {
  const endless = '([a-z._0-9]+)+!';
  const cases: Record<string, [key: string, match: () => unknown]> = {
    target_modules: ['method.target_modules', () => names({ target_modules: endless })],
    exclude_modules: ['method.exclude_modules', () => names({ exclude_modules: endless })],
    modules_to_save: ['method.modules_to_save', () => names({ modules_to_save: [endless] })],
    rank_pattern: [
      'method.rank_pattern',
      () => patternValue({ [endless]: 4 }, 'model.layers.0.self_attn.q_proj', 8, 'method.rank_pattern'),
    ],
    'alternatives of the same': [
      'method.target_modules',
      () => names({ target_modules: String.raw`([a-z]+|[a-z_]|[.\d])*!` }),
    ],
    'a look-ahead': ['method.target_modules', () => names({ target_modules: '(?=([a-z._0-9]+)+!).*' })],
  };
  for (const [name, [key, match]] of Object.entries(cases))
    it(`ends in an error: ${name}`, async () => {
      const error = await inputErrorOf(match);
      expect(error.where).toBe(key);
      expect(error.message).toMatch(/can't be matched with the name "model\.layers.*it takes more than 1 s/);
    });
});

it('a pattern longer than JavaScript can read is named by its length', async () => {
  const { message } = await inputErrorOf(() => names({ target_modules: 'a'.repeat(1e6) }));
  expect(message).toContain('1000000 characters');
  expect(message.length).toBeLessThan(200);
});
