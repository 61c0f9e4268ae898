// The table of names works in both directions, and the transforms are inverses of each other.
import { expect, test } from 'vitest';
import {
  ggufArchitecture,
  ggufTensorName,
  huggingFaceModuleName,
} from '../../../../extension/src/engine/files/ggufNames.js';
import {
  rotaryRowsFromGguf,
  rotaryRowsToGguf,
  transpose,
} from '../../../../extension/src/engine/files/ggufTransforms.js';

test.each([
  ['llama', 'model.layers.12.self_attn.q_proj', 'blk.12.attn_q', 'rotary_q'],
  ['llama', 'model.layers.0.self_attn.k_proj', 'blk.0.attn_k', 'rotary_k'],
  ['llama', 'model.layers.3.mlp.down_proj', 'blk.3.ffn_down', 'none'],
  ['llama', 'lm_head', 'output', 'none'],
  ['qwen2', 'model.layers.1.self_attn.q_proj', 'blk.1.attn_q', 'none'],
  ['qwen3', 'model.layers.1.self_attn.q_norm', 'blk.1.attn_q_norm', 'none'],
  ['gpt2', 'transformer.h.11.attn.c_proj', 'blk.11.attn_output', 'transpose'],
  ['gpt2', 'transformer.h.1.mlp.c_proj', 'blk.1.ffn_down', 'transpose'],
  ['gpt2', 'transformer.wpe', 'position_embd', 'none'],
])('%s: %s is %s', (architecture, huggingFace, gguf, transform) => {
  expect(ggufTensorName(architecture, huggingFace)).toEqual({ name: gguf, transform });
  expect(huggingFaceModuleName(architecture, gguf)).toEqual({ name: huggingFace, transform });
});

test('unknown names give null', () => {
  expect(ggufTensorName('qwen2', 'model.layers.1.self_attn.q_norm')).toBeNull();
  expect(ggufTensorName('unheard', 'lm_head')).toBeNull();
  expect([ggufArchitecture('mistral'), ggufArchitecture('qwen3'), ggufArchitecture('bert')]).toEqual([
    'llama',
    'qwen3',
    null,
  ]);
});

test('rotary rows: half * d/2 + i becomes 2i + half, and back', () => {
  const rows = Float32Array.from({ length: 2 * 4 * 3 }, (_, i) => i); // 2 heads of 4 rows, 3 columns
  const gguf = rotaryRowsToGguf(rows, 2, 3);
  expect(Array.from({ length: 8 }, (_, row) => gguf[row * 3] / 3)).toEqual([0, 2, 1, 3, 4, 6, 5, 7]);
  expect(rotaryRowsFromGguf(gguf, 2, 3)).toEqual(rows);
});

test('transpose', () => {
  expect([...transpose(Float32Array.of(1, 2, 3, 4, 5, 6), 2, 3)]).toEqual([1, 4, 2, 5, 3, 6]);
});
