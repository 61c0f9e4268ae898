// The modules that a config selects, by PEFT's rules.
import { describe, expect, it } from 'vitest';
import {
  matchesTarget,
  patternValue,
  targetedLinears,
  type TargetConfig,
} from '../../../../extension/src/engine/peft/targets.js';
import { modulesToSave } from '../../../../extension/src/engine/peft/replacedParameters.js';
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
    expect((await inputErrorOf(() => names({ exclude_modules: ['k_proj'] }))).where).toBe('method.exclude_modules');
    const both = { target_modules: '.*q_proj', layers_to_transform: [0] };
    expect((await inputErrorOf(() => names(both))).where).toBe('method.target_modules');
    expect((await inputErrorOf(() => modulesToSave(['score'], llama))).where).toBe('method.modules_to_save');
  });
});

it('patterns match the end of a name after a dot, and the first match wins', () => {
  const pattern = { 'layers.0.self_attn.q_proj': 2, q_proj: 3, '[kv]_proj': 4 };
  const value = (name: string) => patternValue(pattern, name, 8);
  expect(value('model.layers.0.self_attn.q_proj')).toBe(2);
  expect(value('model.layers.1.self_attn.q_proj')).toBe(3);
  expect(value('model.layers.1.self_attn.v_proj')).toBe(4);
  expect(value('model.layers.1.self_attn.o_proj')).toBe(8);
  expect(value('model.layers.1.self_attn.xq_proj')).toBe(8);
});
