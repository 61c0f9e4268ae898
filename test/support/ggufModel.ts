// Writes a model folder as a GGUF file with one of llama.cpp's block types, as if it were quantized there. For tests
// that need a real model as a quantized base, such as the embedded one.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { rotaryRowsToGguf } from '../../extension/src/engine/files/ggufTransforms.js';
import { ggufTensorName } from '../../extension/src/engine/files/ggufNames.js';
import { encodeRows, fitsRows } from '../../extension/src/engine/files/ggufQuantizers.js';
import { writeGguf, type GgufBlocksEntry, type GgufTypedValue } from '../../extension/src/engine/files/ggufWriter.js';
import { openSafetensors } from '../../extension/src/engine/files/safetensors.js';
import type { TensorEntry } from '../../extension/src/engine/files/tensorEntry.js';

export type GgmlBlockType = 'Q8_0' | 'Q4_0' | 'Q4_1' | 'Q5_0' | 'Q5_1';

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
    if (!fitsRows(type, shape[1]!)) return { ...stored, dtype: 'F16', data: values };
    const bytes = encodeRows(type, values, tensor.place);
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
