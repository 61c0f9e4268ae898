// Quantized folders as each tool writes them: names, shapes and types of the tensors of one projection, and the
// quantization_config. Each is recognised with and without its config, before any shape is checked.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { openHuggingFaceFolder } from '../../../../extension/src/engine/files/huggingfaceFolder.js';
import { quantizationInConfig } from '../../../../extension/src/engine/files/quantizedFolder.js';
import { inputErrorOf } from '../../../support/inputErrors.js';

const path = mkdtempSync(join(tmpdir(), 'tunewright-quantized-'));
afterAll(() => rmSync(path, { recursive: true }));

type Tensors = Record<string, [dtype: string, ...shape: number[]]>;

const BYTES: Record<string, number> = { F32: 4, F16: 2, BF16: 2, I32: 4, U32: 4, I64: 8, I16: 2 };

/** A folder with zeros as values. */
function folder(config: Record<string, unknown>, tensors: Tensors): string {
  let end = 0;
  const header = Object.fromEntries(
    Object.entries(tensors).map(([name, [dtype, ...shape]]) => {
      const begin = end;
      end += shape.reduce((product, size) => product * size, BYTES[dtype] ?? 1);
      return [name, { dtype, shape, data_offsets: [begin, end] }];
    }),
  );
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  writeFileSync(join(path, 'model.safetensors'), Buffer.concat([length, json, Buffer.alloc(end)]));
  writeFileSync(join(path, 'config.json'), JSON.stringify({ model_type: 'llama', ...config }));
  return path;
}

const Q = 'model.layers.0.self_attn.q_proj';
const PLAIN: Tensors = { 'model.embed_tokens.weight': ['BF16', 48, 32] };

interface Case {
  method: string;
  bits: number | null;
  settings: Record<string, unknown>;
  /** null: a tool that writes no safetensors. */
  tensors: Tensors | null;
  /** If the tensors alone tell less. */
  alone?: { method: string; bits: number | null };
}

const CASES: Case[] = [
  {
    method: 'bitsandbytes',
    bits: 4,
    settings: { quant_method: 'bitsandbytes', load_in_4bit: true, load_in_8bit: false, bnb_4bit_quant_type: 'nf4' },
    tensors: {
      [`${Q}.weight`]: ['U8', 512, 1],
      [`${Q}.weight.absmax`]: ['U8', 16],
      [`${Q}.weight.quant_map`]: ['F32', 16],
      [`${Q}.weight.nested_absmax`]: ['F32', 1],
      [`${Q}.weight.nested_quant_map`]: ['F32', 256],
      [`${Q}.weight.quant_state.bitsandbytes__nf4`]: ['U8', 90],
    },
  },
  {
    // As older releases wrote it, without quant_method.
    method: 'bitsandbytes',
    bits: 8,
    settings: { load_in_8bit: true, llm_int8_threshold: 6 },
    tensors: { [`${Q}.weight`]: ['I8', 32, 32], [`${Q}.SCB`]: ['F32', 32], [`${Q}.weight_format`]: ['U8'] },
  },
  {
    method: 'GPTQ',
    bits: 4,
    settings: { quant_method: 'gptq', bits: 4, group_size: 32, desc_act: false },
    tensors: {
      [`${Q}.qweight`]: ['I32', 4, 32],
      [`${Q}.qzeros`]: ['I32', 1, 4],
      [`${Q}.scales`]: ['F16', 1, 32],
      [`${Q}.g_idx`]: ['I32', 32],
    },
  },
  {
    method: 'GPTQ',
    bits: 8,
    settings: { bits: 8, group_size: 128, desc_act: true },
    tensors: { [`${Q}.qweight`]: ['I32', 8, 32], [`${Q}.qzeros`]: ['I32', 1, 8], [`${Q}.scales`]: ['F16', 1, 32] },
  },
  {
    method: 'AWQ',
    bits: 4,
    settings: { quant_method: 'awq', bits: 4, group_size: 32, zero_point: true, version: 'gemm' },
    tensors: { [`${Q}.qweight`]: ['I32', 32, 4], [`${Q}.qzeros`]: ['I32', 1, 4], [`${Q}.scales`]: ['F16', 1, 32] },
  },
  {
    method: 'AWQ',
    bits: 4,
    settings: { w_bit: 4, q_group_size: 128, zero_point: true },
    tensors: { [`${Q}.qweight`]: ['I32', 32, 4], [`${Q}.qzeros`]: ['I32', 1, 4], [`${Q}.scales`]: ['F16', 1, 32] },
  },
  {
    method: 'FP8',
    bits: 8,
    settings: { quant_method: 'fp8', activation_scheme: 'dynamic', weight_block_size: [128, 128] },
    tensors: { [`${Q}.weight`]: ['F8_E4M3', 32, 32], [`${Q}.weight_scale_inv`]: ['BF16', 1, 1] },
  },
  {
    method: 'FBGEMM FP8',
    bits: 8,
    settings: { quant_method: 'fbgemm_fp8', activation_scale_ub: 1200 },
    tensors: { [`${Q}.weight`]: ['F8_E4M3', 32, 32], [`${Q}.weight_scale`]: ['BF16', 32, 1] },
    alone: { method: 'FP8', bits: 8 },
  },
  {
    method: 'MXFP4',
    bits: 4,
    settings: { quant_method: 'mxfp4', modules_to_not_convert: ['lm_head'] },
    tensors: {
      'model.layers.0.mlp.experts.down_proj_blocks': ['U8', 2, 32, 1, 16],
      'model.layers.0.mlp.experts.down_proj_scales': ['U8', 2, 32, 1],
    },
  },
  {
    method: 'compressed-tensors',
    bits: 4,
    settings: {
      quant_method: 'compressed-tensors',
      format: 'pack-quantized',
      quantization_status: 'compressed',
      config_groups: { group_0: { targets: ['Linear'], weights: { num_bits: 4, type: 'int', group_size: 32 } } },
    },
    tensors: {
      [`${Q}.weight_packed`]: ['I32', 32, 4],
      [`${Q}.weight_scale`]: ['BF16', 32, 1],
      [`${Q}.weight_shape`]: ['I64', 2],
    },
    alone: { method: 'compressed-tensors', bits: null },
  },
  {
    method: 'compressed-tensors',
    bits: 8,
    settings: {
      quant_method: 'compressed-tensors',
      format: 'int-quantized',
      config_groups: { group_0: { targets: ['Linear'], weights: { num_bits: 8, type: 'int' } } },
    },
    tensors: { [`${Q}.weight`]: ['I8', 32, 32], [`${Q}.weight_scale`]: ['BF16', 32, 1] },
  },
  {
    method: 'HQQ',
    bits: 4,
    settings: { quant_method: 'hqq', quant_config: { weight_quant_params: { nbits: 4, group_size: 64 } } },
    tensors: { [`${Q}.W_q`]: ['U8', 16, 32], [`${Q}.scale`]: ['BF16', 16, 1], [`${Q}.zero`]: ['BF16', 16, 1] },
    alone: { method: 'HQQ', bits: null },
  },
  {
    method: 'torchao',
    bits: 4,
    settings: { quant_method: 'torchao', quant_type: { default: { _type: 'Int4WeightOnlyConfig', _data: {} } } },
    tensors: { [`${Q}._weight_qdata`]: ['U8', 32, 16], [`${Q}._weight_scale`]: ['BF16', 1, 32] },
    alone: { method: 'torchao', bits: null },
  },
  {
    method: 'torchao',
    bits: 8,
    settings: { quant_method: 'torchao', quant_type: 'int8_weight_only' },
    tensors: null,
  },
  {
    method: 'EETQ',
    bits: 8,
    settings: { quant_method: 'eetq', weights: 'int8' },
    tensors: { [`${Q}.weight`]: ['I8', 32, 32], [`${Q}.weight_scales`]: ['F16', 32] },
  },
  {
    method: 'Quanto',
    bits: 4,
    settings: { quant_method: 'quanto', weights: 'int4', activations: null },
    tensors: { [`${Q}.weight._data`]: ['U8', 16, 32], [`${Q}.weight._scale`]: ['BF16', 16, 1] },
    alone: { method: 'Quanto', bits: null },
  },
  {
    method: 'BitNet',
    bits: null,
    settings: { quant_method: 'bitnet' },
    tensors: { [`${Q}.weight`]: ['U8', 8, 32], [`${Q}.weight_scale`]: ['BF16', 1] },
    alone: { method: 'an unknown method', bits: null },
  },
  {
    method: 'ModelOpt',
    bits: 4,
    settings: { quant_algo: 'NVFP4', kv_cache_quant_algo: 'FP8', group_size: 16 },
    tensors: { [`${Q}.weight`]: ['U8', 32, 16], [`${Q}.weight_scale`]: ['F8_E4M3', 32, 2] },
    alone: { method: 'an unknown method', bits: null },
  },
  {
    method: 'AQLM',
    bits: null,
    settings: { quant_method: 'aqlm', nbits_per_codebook: 16, num_codebooks: 1 },
    tensors: { [`${Q}.codes`]: ['I16', 32, 4, 1], [`${Q}.codebooks`]: ['F16', 1, 65536, 1, 8] },
  },
  { method: 'new-method', bits: 3, settings: { quant_method: 'new-method', bits: 3 }, tensors: null },
];

const MLX: Tensors = {
  [`${Q}.weight`]: ['U32', 32, 4],
  [`${Q}.scales`]: ['F16', 32, 1],
  [`${Q}.biases`]: ['F16', 32, 1],
};

const textOf = ({ method, bits }: { method: string; bits: number | null }) =>
  `the weights are quantized (${bits === null ? method : `${method}, ${bits} bit`})`;

describe.each(CASES)('$method, $bits bit, $settings', ({ settings, tensors, alone, ...found }) => {
  test('by its config', async () => {
    const config = { quantization_config: settings };
    expect(quantizationInConfig(config)).toEqual(found);
    const error = await inputErrorOf(() => openHuggingFaceFolder(folder(config, tensors ?? {}), 'm'));
    expect(error.message).toContain(textOf(found));
    expect(error.where).toBe(`${path}/config.json: quantization_config`);
  });

  test.runIf(tensors)('by its tensors', async () => {
    const error = await inputErrorOf(() => openHuggingFaceFolder(folder({}, { ...PLAIN, ...tensors }), 'm'));
    expect(error.message).toContain(textOf(alone ?? found));
    expect(error.hint).toMatch(/16-bit|GGUF/);
  });
});

test.each<[string, Record<string, unknown>, string]>([
  ['its own key', { quantization: { group_size: 32, bits: 4 } }, 'MLX, 4 bit'],
  [
    'both keys',
    { quantization: { group_size: 64, bits: 8 }, quantization_config: { group_size: 64, bits: 8 } },
    'MLX, 8 bit',
  ],
  ['no key', {}, 'MLX'],
])('MLX with %s', async (_, config, text) => {
  const error = await inputErrorOf(() => openHuggingFaceFolder(folder(config, { ...PLAIN, ...MLX }), 'm'));
  expect(error.message).toContain(`(${text})`);
});

test.each([
  ['unsloth/Llama-3.2-1B-Instruct-bnb-4bit', 'unsloth/Llama-3.2-1B-Instruct'],
  ['unsloth/Qwen3-0.6B-unsloth-bnb-4bit', 'unsloth/Qwen3-0.6B'],
  ['Qwen/Qwen2.5-0.5B-Instruct-GPTQ-Int4', 'Qwen/Qwen2.5-0.5B-Instruct'],
  ['Qwen/Qwen2.5-0.5B-Instruct-AWQ', 'Qwen/Qwen2.5-0.5B-Instruct'],
  ['Qwen/Qwen3-0.6B-FP8', 'Qwen/Qwen3-0.6B'],
  ['RedHatAI/Llama-3.2-1B-Instruct-FP8-dynamic', 'RedHatAI/Llama-3.2-1B-Instruct'],
  ['neuralmagic/Llama-3.2-1B-quantized.w8a8', null],
  ['mlx-community/SmolLM2-135M-Instruct-4bit', 'mlx-community/SmolLM2-135M-Instruct'],
  ['some/model', null],
])('%s: use %s instead', async (reference, original) => {
  const config = { quantization_config: { quant_method: 'gptq', bits: 4 } };
  const tensors = CASES.find(({ method }) => method === 'GPTQ')!.tensors!;
  const error = await inputErrorOf(() => openHuggingFaceFolder(folder(config, tensors), reference));
  expect(error.hint).toContain(
    original === null ? 'the 16-bit model that it was made from' : `by its name, ${original})`,
  );
});

test('the name in config.json tells where the folder’s doesn’t', async () => {
  const config = { _name_or_path: 'unsloth/tinyllama-bnb-4bit', quantization_config: { load_in_4bit: true } };
  const error = await inputErrorOf(() => openHuggingFaceFolder(folder(config, CASES[0]!.tensors!), './base'));
  expect(error.hint).toContain('unsloth/tinyllama)');
});

test('ordinary weights whose config names a quantization', async () => {
  const config = { quantization_config: { quant_method: 'bitsandbytes', load_in_4bit: true } };
  const error = await inputErrorOf(() => openHuggingFaceFolder(folder(config, PLAIN), 'merged'));
  expect(error.hint).toContain('remove quantization_config');
});

test.each([{}, { quantization_config: null }, { quantization_config: {} }, { quantization: null }])(
  'ordinary weights with %j are taken',
  config => {
    const buffers: Tensors = {
      [`${Q}.rotary_emb.inv_freq`]: ['F32', 4],
      'transformer.h.0.attn.bias': ['U8', 1, 1, 8, 8],
    };
    const files = openHuggingFaceFolder(folder(config, { ...PLAIN, ...buffers }), 'm');
    expect(files.tensors.size).toBe(3);
    files.close();
  },
);
