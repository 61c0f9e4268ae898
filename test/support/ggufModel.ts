// Writes a model folder as a GGUF file with one of llama.cpp's block types, as if it were quantized there. For tests
// that need a real model as a quantized base, such as the embedded one.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { rotaryRowsToGguf } from '../../extension/src/engine/files/ggufTransforms.js';
import { ggufTensorName } from '../../extension/src/engine/files/ggufNames.js';
import { writeGguf, type GgufBlocksEntry, type GgufTypedValue } from '../../extension/src/engine/files/ggufWriter.js';
import { float32ToHalf } from '../../extension/src/engine/files/halfFloat.js';
import { openSafetensors } from '../../extension/src/engine/files/safetensors.js';
import type { TensorEntry } from '../../extension/src/engine/files/tensorEntry.js';
import { BLOCK_VALUES, WeightBlocks } from '../../extension/src/engine/files/weightBlocks.js';

export type GgmlBlockType = 'Q8_0' | 'Q4_0' | 'Q4_1';

/** @param folder a Llama with a byte-level tokenizer that splits text like SmolLM's, such as the embedded model */
export function writeGgufModel(path: string, folder: string, type: GgmlBlockType): string {
  const json = (file: string) => JSON.parse(readFileSync(join(folder, file), 'utf8'));
  const config = json('config.json') as Record<string, number>;
  const weights = openSafetensors(join(folder, 'model.safetensors'));
  const heads = { rotary_q: config.num_attention_heads!, rotary_k: config.num_key_value_heads! };
  const tensors = [...weights.tensors].map(([name, tensor]): TensorEntry | GgufBlocksEntry => {
    const found = ggufTensorName('llama', name.replace(/\.weight$/, ''))!;
    const { shape } = tensor;
    const stored = { name: `${found.name}.weight`, shape };
    const { transform } = found;
    const read = tensor.readFloat32();
    const values =
      transform === 'rotary_q' || transform === 'rotary_k' ? rotaryRowsToGguf(read, heads[transform], shape[1]!) : read;
    if (shape.length === 1) return { ...stored, dtype: 'F32', data: values };
    // llama.cpp keeps tensors whose rows aren't a whole number of blocks as F16.
    if (shape[1]! % BLOCK_VALUES > 0) return { ...stored, dtype: 'F16', data: values };
    const bytes = blocksOf(values, type);
    return { ...stored, ggmlType: type, byteLength: bytes.length, pieces: () => [bytes] };
  });
  weights.close();
  writeGguf(path, { ...llamaMetadata(config), ...tokenizerMetadata(json) }, tensors);
  return path;
}

const text = (value: string): GgufTypedValue => ({ type: 'string', value });
const size = (value: number): GgufTypedValue => ({ type: 'uint32', value });
const float = (value: number): GgufTypedValue => ({ type: 'float32', value });

function llamaMetadata(config: Record<string, number>): Record<string, GgufTypedValue> {
  return {
    'general.architecture': text('llama'),
    'llama.block_count': size(config.num_hidden_layers!),
    'llama.context_length': size(config.max_position_embeddings!),
    'llama.embedding_length': size(config.hidden_size!),
    'llama.feed_forward_length': size(config.intermediate_size!),
    'llama.attention.head_count': size(config.num_attention_heads!),
    'llama.attention.head_count_kv': size(config.num_key_value_heads!),
    'llama.attention.layer_norm_rms_epsilon': float(config.rms_norm_eps!),
    'llama.rope.dimension_count': size(config.head_dim!),
    'llama.rope.freq_base': float(config.rope_theta!),
    'tokenizer.ggml.eos_token_id': size(config.eos_token_id!),
  };
}

interface TokenizerJson {
  model: { vocab: Record<string, number>; merges: (string | string[])[] };
  added_tokens: { id: number; content: string }[];
}

function tokenizerMetadata(json: (file: string) => unknown): Record<string, GgufTypedValue> {
  const { model, added_tokens: added } = json('tokenizer.json') as TokenizerJson;
  const { chat_template: template } = json('tokenizer_config.json') as { chat_template: string };
  const tokens = new Map(Object.entries(model.vocab).map(([token, id]) => [id, token]));
  for (const { id, content } of added) tokens.set(id, content);
  const controls = new Set(added.map(({ id }) => id));
  const ids = [...tokens.keys()].toSorted((a, b) => a - b);
  const strings = (values: string[]): GgufTypedValue => ({
    type: 'array',
    items: values.map(value => ({ type: 'string', value })),
  });
  return {
    'tokenizer.ggml.model': text('gpt2'),
    'tokenizer.ggml.pre': text('smollm'),
    'tokenizer.ggml.tokens': strings(ids.map(id => tokens.get(id)!)),
    'tokenizer.ggml.token_type': {
      type: 'array',
      items: ids.map(id => ({ type: 'int32', value: controls.has(id) ? 3 : 1 })),
    },
    'tokenizer.ggml.merges': strings(model.merges.map(merge => (Array.isArray(merge) ? merge.join(' ') : merge))),
    'tokenizer.chat_template': text(template),
  };
}

/** Quantizes values to blocks, rounding like llama.cpp's reference. */
function blocksOf(values: Float32Array, type: GgmlBlockType): Uint8Array {
  const count = values.length / BLOCK_VALUES;
  const blocks = Array.from({ length: count }, (_, i) => values.subarray(i * BLOCK_VALUES, (i + 1) * BLOCK_VALUES));
  if (type === 'Q4_1') return Buffer.concat(blocks.map(blockWithMinimum));
  // Each block is a separate matrix row: its codes, and one scale.
  const rounded = new WeightBlocks(type === 'Q8_0' ? 'int8' : 'int4', [count, BLOCK_VALUES]);
  rounded.quantizeRows(0, values);
  const codes = new Uint8Array(rounded.codes.buffer);
  const scales = new Uint8Array(rounded.parts[0]!.buffer);
  const length = codes.length / count;
  // GGUF's 4-bit codes have an offset of 8.
  const flip = type === 'Q4_0' ? 0x88 : 0;
  return Buffer.concat(
    blocks.flatMap((_, i) => [
      scales.subarray(4 * i, 4 * i + 2),
      codes.subarray(length * i, length * (i + 1)).map(byte => byte ^ flip),
    ]),
  );
}

/** A block of Q4_1: scale, minimum, codes from 0 to 15. */
function blockWithMinimum(values: Float32Array): Uint8Array {
  const minimum = Math.min(...values);
  const scale = Math.fround((Math.max(...values) - minimum) / 15);
  const inverse = scale === 0 ? 0 : Math.fround(1 / scale);
  const code = (i: number) => Math.min(15, Math.floor(Math.fround((values[i]! - minimum) * inverse) + 0.5));
  const bytes = new Uint8Array(4 + BLOCK_VALUES / 2);
  bytes.set(new Uint8Array(float32ToHalf(Float32Array.of(scale, minimum)).buffer));
  for (let i = 0; i < BLOCK_VALUES / 2; i++) bytes[4 + i] = code(i) | (code(i + BLOCK_VALUES / 2) << 4);
  return bytes;
}
