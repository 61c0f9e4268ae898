// Types of tensors as llama.cpp's quantizer gives them: `llama_model_quantize` of node-llama-cpp 3.22.1 gave the same for a Llama and a
// GPT-2 of 8 layers in every type (decision 50).
import { expect, test } from 'vitest';
import { GGUF_MODEL_TYPES, type GgufModelType } from '../../../../extension/src/protocol/exportConfig.js';
import {
  fallbackOf,
  fallbackText,
  ggufModelTypes,
  tensorType,
} from '../../../../extension/src/engine/export/ggufTypes.js';

const tied = { hasOutput: false, layers: 24 };
const typeOf = (model: GgufModelType, name: string, shape: number[], options = tied) =>
  tensorType(model, { name, shape }, options);
const layersWith = (model: GgufModelType, type: string, part: string, layers = 24) =>
  Array.from({ length: layers }, (_, i) => i).filter(
    i => typeOf(model, `blk.${i}.${part}.weight`, [256, 512], { ...tied, layers }) === type,
  );

test.each(GGUF_MODEL_TYPES)('vectors, norms and positions are F32 in a %s', model => {
  expect(typeOf(model, 'blk.0.attn_q.bias', [512])).toBe('F32');
  expect(typeOf(model, 'blk.0.attn_q_norm.weight', [64])).toBe('F32');
  expect(typeOf(model, 'position_embd.weight', [512, 512])).toBe('F32');
});

test('Q4_K_M and Q5_K_M have finer types in some layers', () => {
  const more = [0, 1, 2, 5, 8, 11, 14, 17, 20, 21, 22, 23];
  for (const model of ['q4_k_m', 'q5_k_m'] as const)
    for (const part of ['attn_v', 'attn_qkv', 'ffn_down']) expect(layersWith(model, 'Q6_K', part)).toEqual(more);
  expect(layersWith('q4_k_m', 'Q4_K', 'attn_q')).toHaveLength(24);
  // Of 5 layers, n/8 is 0 and 7n/8 is 4.
  expect(layersWith('q4_k_m', 'Q6_K', 'attn_v', 5)).toEqual([2, 4]);
});

test('the head, or a tied embedding, is Q6_K in files with blocks of few bits', () => {
  for (const model of ['q4_0', 'q4_1', 'q5_0', 'q5_1', 'q4_k_m', 'q5_k_m', 'q6_k'] as const) {
    expect(typeOf(model, 'token_embd.weight', [1000, 512])).toBe('Q6_K');
    expect(typeOf(model, 'output.weight', [1000, 512], { ...tied, hasOutput: true })).toBe('Q6_K');
    expect(typeOf(model, 'token_embd.weight', [1000, 512], { ...tied, hasOutput: true })).not.toBe('Q8_0');
  }
  for (const model of ['f32', 'f16', 'bf16', 'q8_0'] as const)
    expect(typeOf(model, 'token_embd.weight', [1000, 512])).toBe(ggufModelTypes[model].type);
});

test('rows that aren’t whole blocks get another type', () => {
  const inRows = (model: GgufModelType, columns: number) => typeOf(model, 'blk.3.attn_q.weight', [256, columns]);
  const models = ['q4_k_m', 'q5_k_m', 'q6_k', 'q4_0', 'q8_0'] as const;
  expect(models.map(model => inRows(model, 576))).toEqual([...['Q5_0', 'Q5_1', 'Q8_0', 'Q4_0', 'Q8_0']]);
  for (const model of models) expect(inRows(model, 432 + 8)).toBe('F16');
  expect(typeOf('q4_0', 'token_embd.weight', [1000, 576])).toBe('Q8_0');
});

test('says in one line which types rows that aren’t whole blocks get', () => {
  const fallbacks = (wanted: string, name: string, row: number) => fallbackOf(wanted, { name, shape: [64, row] });
  expect(fallbacks('Q4_K', 'blk.0.attn_q.weight', 512)).toBe(null);
  expect(fallbacks('Q4_K', 'blk.0.attn_q_norm.weight', 576)).toBe(null);
  expect(fallbackOf('Q4_K', { name: 'blk.0.attn_q.bias', shape: [576] })).toBe(null);
  const some = [
    fallbacks('Q6_K', 'token_embd.weight', 576),
    fallbacks('Q4_K', 'blk.0.attn_q.weight', 576),
    fallbacks('Q4_K', 'blk.1.attn_q.weight', 576),
    fallbacks('Q4_K', 'blk.0.ffn_down.weight', 433),
  ].map(each => each!);
  expect(fallbackText(some, 9)).toBe(
    '4 of 9 matrices have rows (576, 433) that aren’t whole blocks of their type: 1 Q8_0 instead of Q6_K, ' +
      '2 Q5_0 instead of Q4_K, 1 F16 instead of Q4_K, as llama.cpp does',
  );
  expect(fallbackText([], 9)).toBe(null);
});
