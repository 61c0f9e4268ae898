// Adapter configs that PEFT writes: which keys are read, ignored and refused.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { writeSafetensors } from '../../../../extension/src/engine/files/safetensors.js';
import { openAdapter } from '../../../../extension/src/engine/peft/adapterFiles.js';
import { inputErrorOf } from '../../../support/inputErrors.js';
import { tinyArchitecture } from '../../../support/tinyModels.js';

const folder = mkdtempSync(join(tmpdir(), 'tunewright-adapter-'));
afterAll(() => rmSync(folder, { recursive: true }));

function open(config: Record<string, unknown>) {
  writeSafetensors(join(folder, 'adapter_model.safetensors'), []);
  writeFileSync(join(folder, 'adapter_config.json'), JSON.stringify(config));
  const saved = openAdapter(folder, tinyArchitecture('llama'));
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
  ['LOHA', 'layers_pattern', 'layers'],
  ['VERA', 'layers_pattern', ['layers']],
])('refuses %s with %s, which changes what it computes', async (peftType, key, value) => {
  const error = await inputErrorOf(() => open({ peft_type: peftType, [key]: value }));
  expect(error.message).toContain(key);
  expect(error.where).toContain('adapter_config.json');
});

it.each([undefined, null, 7, 'BOFT'])('refuses a peft_type of %j', async peftType => {
  expect((await inputErrorOf(() => open({ peft_type: peftType }))).hint).toContain('LORA');
});
