// GGUF files: written files are read as Hugging Face models, and wrong headers are InputErrors.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { InputError } from '../../../../extension/src/core/inputError.js';
import { openGguf } from '../../../../extension/src/engine/files/ggufModel.js';
import { rotaryRowsToGguf, transpose } from '../../../../extension/src/engine/files/ggufTransforms.js';
import { writeGguf, type GgufTypedValue } from '../../../../extension/src/engine/files/ggufWriter.js';
import type { ModelFiles } from '../../../../extension/src/engine/files/tensorSource.js';
import type { TensorEntry } from '../../../../extension/src/engine/files/tensorEntry.js';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gguf-'));
  path = join(folder, 'model.gguf');
});
afterEach(() => rmSync(folder, { recursive: true }));

const text = (value: string): GgufTypedValue => ({ type: 'string', value });
const size = (value: number): GgufTypedValue => ({ type: 'uint32', value });
const float = (value: number): GgufTypedValue => ({ type: 'float32', value });
const values = (length: number, start = 0) => Float32Array.from({ length }, (_, i) => start + i / 8);
const tensor = (
  name: string,
  shape: number[],
  data: Float32Array = values(shape.reduce((a, b) => a * b)),
): TensorEntry => ({
  name,
  shape,
  dtype: 'F32',
  data,
});

const llama: Record<string, GgufTypedValue> = {
  'general.architecture': text('llama'),
  'llama.block_count': size(1),
  'llama.context_length': size(64),
  'llama.embedding_length': size(8),
  'llama.feed_forward_length': size(12),
  'llama.attention.head_count': size(2),
  'llama.attention.head_count_kv': size(1),
  'llama.attention.layer_norm_rms_epsilon': float(1e-5),
  'llama.rope.freq_base': float(500000),
  'tokenizer.ggml.eos_token_id': size(2),
  'tokenizer.ggml.eot_token_id': size(3),
};
const query = values(64);
const llamaTensors = [
  tensor('token_embd.weight', [16, 8]),
  tensor('blk.0.attn_q.weight', [8, 8], rotaryRowsToGguf(query, 2, 8)),
  { ...tensor('blk.0.ffn_up.weight', [12, 8]), dtype: 'F16' as const },
];

function failure(action: () => unknown): InputError {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    return error as InputError;
  }
  throw new Error('nothing was thrown');
}

/** Any rows of a matrix, within and across heads, are those of the whole. */
function expectRowsOfWhole({ tensors }: ModelFiles): void {
  for (const [name, { shape, readFloat32, readRows }] of tensors) {
    const [rows, columns] = shape.length === 1 ? [1, shape[0]!] : (shape as [number, number]);
    for (let first = 0; first < rows; first++)
      for (let count = 1; first + count <= rows; count++)
        expect(readRows(first, count), `${name}, ${count} rows from ${first}`).toEqual(
          readFloat32().slice(first * columns, (first + count) * columns),
        );
  }
}

describe('a model', () => {
  test('llama: config, names and un-permuted rows', () => {
    writeGguf(path, llama, llamaTensors);
    const model = openGguf(path, 'm');
    expect(model).toMatchObject({
      format: 'gguf',
      tokenizer: null,
      generationConfig: { eos_token_id: [2, 3] },
      config: {
        model_type: 'llama',
        hidden_size: 8,
        intermediate_size: 12,
        num_hidden_layers: 1,
        num_attention_heads: 2,
        num_key_value_heads: 1,
        head_dim: 4,
        vocab_size: 16,
        max_position_embeddings: 64,
        rms_norm_eps: 1e-5,
        rope_theta: 500000,
        rope_scaling: null,
        tie_word_embeddings: true,
        attention_bias: false,
      },
    });
    expect(model.tensors.get('model.layers.0.self_attn.q_proj.weight')!.readFloat32()).toEqual(query);
    expectRowsOfWhole(model);
    expect(model.tensors.get('model.layers.0.mlp.up_proj.weight')).toMatchObject({ shape: [12, 8], dtype: 'F16' });
    expect(model.tensors.get('model.layers.0.mlp.up_proj.weight')!.readFloat32()).toEqual(values(96));
    model.close();
  });

  test('gpt2: Conv1D weights are transposed to [in, out], biases unchanged', () => {
    const weight = values(8 * 24);
    writeGguf(
      path,
      {
        'general.architecture': text('gpt2'),
        'gpt2.block_count': size(1),
        'gpt2.context_length': size(32),
        'gpt2.embedding_length': size(8),
        'gpt2.feed_forward_length': size(32),
        'gpt2.attention.head_count': size(2),
        'gpt2.attention.layer_norm_epsilon': float(1e-5),
      },
      [
        tensor('token_embd.weight', [16, 8]),
        tensor('output.weight', [16, 8]),
        tensor('blk.0.attn_qkv.weight', [24, 8], transpose(weight, 8, 24)),
        tensor('blk.0.attn_qkv.bias', [24]),
      ],
    );
    const model = openGguf(path, 'm');
    expect(model.config).toMatchObject({
      model_type: 'gpt2',
      n_embd: 8,
      n_head: 2,
      n_positions: 32,
      n_inner: null,
      tie_word_embeddings: false,
    });
    const conv = model.tensors.get('transformer.h.0.attn.c_attn.weight')!;
    expect(conv.shape).toEqual([8, 24]);
    expect(conv.readFloat32()).toEqual(weight);
    expectRowsOfWhole(model);
    expect(model.tensors.get('transformer.h.0.attn.c_attn.bias')!.readFloat32()).toEqual(values(24));
    model.close();
  });

  test('Llama 3’s rope scaling is recovered from its frequency factors', () => {
    const [theta, headDim, factor, high, original] = [500000, 64, 32, 4, 8192];
    const factors = Float32Array.from({ length: headDim / 2 }, (_, i) => {
      const wavelength = 2 * Math.PI * theta ** ((2 * i) / headDim);
      if (wavelength < original / high) return 1;
      if (wavelength > original) return factor;
      const smooth = (original / wavelength - 1) / (high - 1);
      return 1 / ((1 - smooth) / factor + smooth);
    });
    const metadata = { ...llama, 'llama.attention.key_length': size(64) };
    writeGguf(path, metadata, [tensor('token_embd.weight', [16, 8]), tensor('rope_freqs.weight', [32], factors)]);
    const model = openGguf(path, 'm');
    expect(model.config.rope_scaling).toEqual({
      rope_type: 'llama3',
      factor: 32,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 8192,
    });
    expect([...model.tensors.keys()]).toEqual(['model.embed_tokens.weight']);
    model.close();
    factors[20] *= 1.5;
    writeGguf(path, metadata, [tensor('token_embd.weight', [16, 8]), tensor('rope_freqs.weight', [32], factors)]);
    expect(failure(() => openGguf(path, 'm')).describe()).toMatch(/rope_freqs.weight: .*Llama 3/);
  });

  test.each<[string, Record<string, GgufTypedValue>, Record<string, unknown> | null]>([
    [
      'yarn',
      { factor: float(4), original_context_length: size(32) },
      { factor: 4, original_max_position_embeddings: 32 },
    ],
    // llama.cpp multiplies 1 + 0.1 ln(factor) by the file's factor.
    ['yarn', { factor: float(4), attn_factor: float(2) }, { factor: 4, attention_factor: 2 * (1 + 0.1 * Math.log(4)) }],
    ['yarn', { factor: float(4), attn_factor: float(1) }, { factor: 4 }],
    [
      'yarn',
      { factor: float(4), yarn_beta_fast: float(8), yarn_beta_slow: float(2), yarn_ext_factor: float(1) },
      { factor: 4, beta_fast: 8, beta_slow: 2 },
    ],
    ['yarn', { factor: float(1) }, null],
    ['none', { factor: float(4) }, null],
  ])('rope scaling %s, %j', (type, scaling, expected) => {
    const keys = Object.entries({ type: text(type), ...scaling }).map(([key, value]) => [
      `llama.rope.scaling.${key}`,
      value,
    ]);
    writeGguf(path, { ...llama, ...Object.fromEntries(keys) }, llamaTensors);
    const model = openGguf(path, 'm');
    expect(model.config.rope_scaling).toEqual(expected && { rope_type: type, ...expected });
    model.close();
  });

  test('LongRoPE’s factors are tensors', () => {
    const scaling = {
      'llama.rope.scaling.type': text('longrope'),
      'llama.rope.scaling.attn_factor': float(1.25),
      'llama.rope.scaling.original_context_length': size(32),
    };
    const factors = ['short', 'long'].map((length, i) =>
      tensor(`rope_factors_${length}.weight`, [2], Float32Array.of(1, 2 + i)),
    );
    writeGguf(path, { ...llama, ...scaling }, [...llamaTensors, ...factors]);
    const model = openGguf(path, 'm');
    expect(model.config.rope_scaling).toEqual({
      rope_type: 'longrope',
      original_max_position_embeddings: 32,
      short_factor: [1, 2],
      long_factor: [1, 3],
      attention_factor: 1.25,
    });
    expect([...model.tensors.keys()].some(name => name.includes('rope'))).toBe(false);
    model.close();
    writeGguf(path, { ...llama, ...scaling }, llamaTensors);
    expect(failure(() => openGguf(path, 'm')).describe()).toMatch(/rope_factors_short.weight/);
  });

  test.each<[string, GgufTypedValue]>([
    ['rope.scaling.yarn_ext_factor', float(0.5)],
    ['rope.scaling.yarn_log_multiplier', float(0.1)],
    ['attention.scale', float(0.2)],
    ['attention.clamp_kqv', float(8)],
    ['logit_scale', float(0.5)],
    ['expert_count', size(8)],
    ['attention.causal', { type: 'bool', value: false }],
  ])('%s would change what the model computes', (key, value) => {
    const yarn = { 'llama.rope.scaling.type': text('yarn'), 'llama.rope.scaling.factor': float(2) };
    writeGguf(path, { ...llama, ...yarn, [`llama.${key}`]: value }, llamaTensors);
    expect(failure(() => openGguf(path, 'm')).where).toContain(`llama.${key}`);
  });

  test('linear rope scaling', () => {
    const scaling = { 'llama.rope.scaling.type': text('linear'), 'llama.rope.scaling.factor': float(4) };
    writeGguf(path, { ...llama, ...scaling }, llamaTensors);
    const model = openGguf(path, 'm');
    expect(model.config.rope_scaling).toEqual({ rope_type: 'linear', factor: 4 });
    model.close();
  });

  test.each([
    ['an unknown architecture', { 'general.architecture': text('mamba') }, [], /architecture mamba is not supported/],
    ['a missing key', { 'llama.block_count': text('one') }, [], /not a number/],
    ['one part of several', { 'split.count': size(3) }, [], /one part of several/],
    ['partly rotated heads', { 'llama.rope.dimension_count': size(2) }, [], /rotating only 2 of 4/],
    ['experts', {}, [tensor('blk.0.ffn_gate_inp.weight', [4, 8])], /mixture-of-experts/],
    ['an unknown tensor', {}, [tensor('blk.0.surprise.weight', [4])], /unknown tensor/],
    ['rows that don’t fit the heads', {}, [tensor('blk.0.attn_k.weight', [3, 8])], /3 rows don’t fit 1 heads/],
  ])('%s', (_name, metadata, tensors, message) => {
    writeGguf(path, { ...llama, ...metadata }, [llamaTensors[0], ...tensors]);
    const error = failure(() => openGguf(path, 'm'));
    expect(error.message).toMatch(message);
    expect(error.where).toContain(path);
  });
});

const uint32 = (value: number) => Buffer.from(Uint32Array.of(value).buffer);

const uint64 = (value: number | bigint) => Buffer.from(BigUint64Array.of(BigInt(value)).buffer);

describe('a wrong header', () => {
  const huge = 1n << 60n;
  const string = (value: string) => Buffer.concat([uint64(value.length), Buffer.from(value)]);
  const head = (tensors: number | bigint, pairs: number | bigint, version = 3) =>
    Buffer.concat([Buffer.from('GGUF'), uint32(version), uint64(tensors), uint64(pairs)]);
  const info = (dims: (number | bigint)[], type: number, offset: number | bigint, name = 'w') =>
    Buffer.concat([string(name), uint32(dims.length), ...dims.map(uint64), uint32(type), uint64(offset)]);

  test.each([
    ['no magic', Buffer.alloc(64), /not a GGUF file/],
    ['nothing', Buffer.alloc(0), /not a GGUF file/],
    ['another version', head(0, 0, 9), /version 9/],
    ['a tensor count of 2^60', head(huge, 0), /size is given as 1152921504606846976/],
    ['a metadata count of 2^60', head(0, huge), /size is given as 1152921504606846976/],
    ['a count that the file can’t hold', head(0, 1000), /size is given as 1000/],
    [
      'a key length of 2^60',
      Buffer.concat([head(0, 1), uint64(huge), Buffer.alloc(32)]),
      /size is given as 1152921504606846976/,
    ],
    [
      'a string value longer than the file',
      Buffer.concat([head(0, 1), string('k'), uint32(8), uint64(9999)]),
      /size is given as 9999/,
    ],
    [
      'an array of 2^60',
      Buffer.concat([head(0, 1), string('k'), uint32(9), uint32(4), uint64(huge)]),
      /size is given as 1152921504606846976/,
    ],
    [
      'an unknown metadata type',
      Buffer.concat([head(0, 1), string('k'), uint32(77), Buffer.alloc(32)]),
      /unknown metadata type 77/,
    ],
    ['a truncated header', Buffer.concat([head(1, 0), info([1], 0, 0).subarray(0, -4)]), /ends within its header/],
    ['too many dimensions', Buffer.concat([head(1, 0), info([1, 1, 1, 1, 1], 0, 0)]), /5 dimensions/],
    ['a dimension of 2^60', Buffer.concat([head(1, 0), info([huge], 0, 0)]), /size is given as 1152921504606846976/],
    ['a product beyond the file', Buffer.concat([head(1, 0), info([1 << 30, 1 << 30], 0, 0)]), /would end at byte/],
    [
      'an offset beyond the file',
      Buffer.concat([head(1, 0), info([1], 0, 1 << 20), Buffer.alloc(64)]),
      /would end at byte/,
    ],
    ['an unsupported type', Buffer.concat([head(1, 0), info([32], 16, 0)]), /type IQ2_XXS is not supported/],
    ['rows of half a block', Buffer.concat([head(1, 0), info([16], 2, 0)]), /not a whole number of Q4_0 blocks/],
    [
      'two tensors on the same bytes',
      Buffer.concat([head(2, 0), info([1], 0, 0), info([1], 0, 0, 'v'), Buffer.alloc(64)]),
      /begin at byte 0, but the tensors before it end at 32/,
    ],
    [
      'a tensor that begins within the padding',
      Buffer.concat([head(1, 0), info([1], 0, 4), Buffer.alloc(64)]),
      /begin at byte 4, but the tensors before it end at 0/,
    ],
    ['a tensor twice', Buffer.concat([head(2, 0), info([1], 0, 0), info([1], 0, 0), Buffer.alloc(64)]), /duplicate/],
  ])('%s', (_name, bytes, message) => {
    writeFileSync(path, bytes);
    const error = failure(() => openGguf(path, 'm'));
    expect(error.message).toMatch(message);
    expect(error.where).toContain(path);
  });

  test('every truncation of a good file is an InputError', () => {
    writeGguf(path, llama, llamaTensors);
    const bytes = readFileSync(path);
    // From the end of the last tensor backwards, without its padding.
    for (let length = bytes.length - 32; length >= 0; length -= 37) {
      writeFileSync(path, bytes.subarray(0, length));
      failure(() => openGguf(path, 'm'));
    }
  });
});
