// Writes models of known shapes with random weights as quantized GGUF files, for bases that are too large for float32. Called by
// largeBases.mjs; uses only a few MB of memory.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { importEngineModule } from '../../extension/scripts/embedded/engineModule.mjs';
import { llamaTensors } from '../../extension/scripts/embedded/initModel.mjs';
import { createRandom } from '../../extension/scripts/embedded/random.mjs';

const { writeGguf } = await importEngineModule('engine/files/ggufWriter.ts');
const { ggufTensorName } = await importEngineModule('engine/files/ggufNames.ts');
const { float32ToHalf } = await importEngineModule('engine/files/halfFloat.ts');

/** Bytes of a block of 32 values, and its scale for a standard deviation of 0.02. */
const types = {
  Q8_0: { blockBytes: 34, scale: (0.02 * Math.sqrt(12)) / 255 },
  Q4_0: { blockBytes: 18, scale: (0.02 * Math.sqrt(12)) / 15 },
};

const TILE_BLOCKS = 2 ** 16;

/** Random blocks that are written repeatedly: their values don't affect speed or memory. */
function randomTile({ blockBytes, scale }) {
  const random = createRandom(1);
  const tile = Uint8Array.from({ length: TILE_BLOCKS * blockBytes }, () => random.int(256));
  const half = new Uint8Array(float32ToHalf(Float32Array.of(scale)).buffer);
  for (let block = 0; block < TILE_BLOCKS; block++) tile.set(half, block * blockBytes);
  return tile;
}

/** GGUF's metadata of a BPE tokenizer; llama.cpp requires a token for each row of the embedding. */
export function tokenizerMetadata(folder, config) {
  const { model, added_tokens: added } = JSON.parse(readFileSync(join(folder, 'tokenizer.json'), 'utf8'));
  const tokens = Object.entries({
    ...model.vocab,
    ...Object.fromEntries(added.map(({ id, content }) => [content, id])),
  })
    .toSorted(([, a], [, b]) => a - b)
    .map(([token]) => token);
  const controls = new Set(added.map(({ content }) => content));
  const merges = model.merges.map(merge => (Array.isArray(merge) ? merge.join(' ') : merge));
  for (let id = tokens.length; id < config.vocab_size; id++) tokens.push(`<unused${id}>`);
  return {
    'tokenizer.ggml.model': { type: 'string', value: 'gpt2' },
    'tokenizer.ggml.pre': { type: 'string', value: 'smollm' },
    'tokenizer.ggml.tokens': { type: 'array', items: tokens.map(value => ({ type: 'string', value })) },
    'tokenizer.ggml.token_type': {
      type: 'array',
      items: tokens.map(token => ({ type: 'int32', value: controls.has(token) ? 3 : 1 })),
    },
    'tokenizer.ggml.merges': { type: 'array', items: merges.map(value => ({ type: 'string', value })) },
    'tokenizer.ggml.eos_token_id': { type: 'uint32', value: config.eos_token_id },
  };
}

/**
 * @param {string} path
 * @param {Record<string, any>} config config.json of a Llama, with `head_dim`
 * @param {'Q8_0' | 'Q4_0'} ggmlType of all matrices
 * @param {string} tokenizerFolder with the tokenizer.json to use, a BPE one
 */
export function writeRandomGguf(path, config, ggmlType, tokenizerFolder) {
  const text = value => ({ type: 'string', value });
  const size = value => ({ type: 'uint32', value });
  const float = value => ({ type: 'float32', value });
  const metadata = {
    'general.architecture': text('llama'),
    'llama.block_count': size(config.num_hidden_layers),
    'llama.context_length': size(config.max_position_embeddings),
    'llama.embedding_length': size(config.hidden_size),
    'llama.feed_forward_length': size(config.intermediate_size),
    'llama.attention.head_count': size(config.num_attention_heads),
    'llama.attention.head_count_kv': size(config.num_key_value_heads),
    'llama.attention.layer_norm_rms_epsilon': float(config.rms_norm_eps),
    'llama.rope.freq_base': float(config.rope_theta),
    ...tokenizerMetadata(tokenizerFolder, config),
  };

  const { blockBytes } = types[ggmlType];
  const tile = randomTile(types[ggmlType]);
  const shapes = llamaTensors(config);
  if (!config.tie_word_embeddings) shapes.push(['lm_head.weight', [config.vocab_size, config.hidden_size]]);
  const tensors = shapes.map(([name, shape]) => {
    const module = name.replace(/\.weight$/, '');
    const gguf = `${ggufTensorName('llama', module).name}.weight`;
    const values = shape.reduce((product, length) => product * length, 1);
    if (shape.length === 1) return { name: gguf, shape, dtype: 'F32', data: new Float32Array(values).fill(1) };
    const byteLength = (values / 32) * blockBytes;
    const pieces = function* () {
      for (let left = byteLength; left > 0; left -= tile.length) yield tile.subarray(0, Math.min(left, tile.length));
    };
    return { name: gguf, shape, ggmlType, byteLength, pieces };
  });
  writeGguf(path, metadata, tensors);
}
