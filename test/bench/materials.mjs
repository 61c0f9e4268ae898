// Models of known shapes with random weights and rows of token ids, which both sides of the bench read. Created once and kept; the
// same seed gives the same bytes.
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { importEngineModule } from '../../extension/scripts/embedded/engineModule.mjs';
import { llamaTensors, modelJsonFiles } from '../../extension/scripts/embedded/initModel.mjs';
import { createRandom } from '../../extension/scripts/embedded/random.mjs';
import { root } from '../../extension/scripts/setUp.mjs';
import { tokenizerMetadata } from './randomGguf.mjs';

const embedded = join(root, 'media/models/tiny');

/** From its config.json; the tokenizer is that of the embedded model, whose ids are all within this vocabulary. */
const smolLm2 = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  hidden_size: 576,
  intermediate_size: 1536,
  num_hidden_layers: 30,
  num_attention_heads: 9,
  num_key_value_heads: 3,
  head_dim: 64,
  vocab_size: 49152,
  max_position_embeddings: 8192,
  rope_theta: 100000,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: true,
  hidden_act: 'silu',
  attention_bias: false,
  mlp_bias: false,
  bos_token_id: 1,
  eos_token_id: 2,
  torch_dtype: 'float32',
};

/** Creates `path` with `make(partial)` unless it exists; a failed attempt leaves no `path`. */
export async function once(path, make) {
  if (existsSync(path)) return path;
  rmSync(`${path}.partial`, { recursive: true, force: true });
  await make(`${path}.partial`);
  renameSync(`${path}.partial`, path);
  return path;
}

/** Values with a standard deviation of 0.02; uniform, which is fast enough for 134 million of them. */
function* randomTensors(config) {
  const random = createRandom(1);
  for (const [name, shape] of llamaTensors(config)) {
    const data = () => {
      const values = new Float32Array(shape.reduce((product, size) => product * size, 1));
      if (name.endsWith('norm.weight')) return values.fill(1);
      const width = 0.02 * Math.sqrt(12);
      for (let i = 0; i < values.length; i++) values[i] = (random.next() - 0.5) * width;
      return values;
    };
    yield { name, shape, dtype: 'F32', data };
  }
}

/** The folder of a model by its name in work.mjs: the embedded one, or SmolLM2-135M's shape. */
export async function modelFolder(name, folder) {
  if (name === 'embedded') return embedded;
  return once(join(folder, name), async partial => {
    const { writeSafetensors } = await importEngineModule('engine/files/safetensors.ts');
    mkdirSync(partial, { recursive: true });
    writeFileSync(join(partial, 'config.json'), JSON.stringify(smolLm2, null, 2));
    for (const file of modelJsonFiles)
      if (file !== 'config.json') writeFileSync(join(partial, file), readFileSync(join(embedded, file)));
    writeSafetensors(join(partial, 'model.safetensors'), randomTensors(smolLm2));
  });
}

/** The same model as a GGUF file in float32, for llama.cpp. */
export async function ggufFile(model, folder) {
  const source = await modelFolder(model, folder);
  return once(join(folder, `${model}-f32.gguf`), async partial => {
    const { openSafetensors } = await importEngineModule('engine/files/safetensors.ts');
    const { ggufTensorName } = await importEngineModule('engine/files/ggufNames.ts');
    const { rotaryRowsToGguf } = await importEngineModule('engine/files/ggufTransforms.ts');
    const { writeGguf } = await importEngineModule('engine/files/ggufWriter.ts');
    const config = JSON.parse(readFileSync(join(source, 'config.json'), 'utf8'));
    const weights = openSafetensors(join(source, 'model.safetensors'));
    const heads = { rotary_q: config.num_attention_heads, rotary_k: config.num_key_value_heads };
    const tensors = [...weights.tensors].map(([name, tensor]) => {
      const found = ggufTensorName('llama', name.replace(/\.weight$/, ''));
      const { shape } = tensor;
      const data = () => {
        const values = tensor.readFloat32();
        return found.transform === 'none' ? values : rotaryRowsToGguf(values, heads[found.transform], shape[1]);
      };
      return { name: `${found.name}.weight`, shape, dtype: 'F32', data };
    });
    const whole = value => ({ type: 'uint32', value });
    const real = value => ({ type: 'float32', value });
    const metadata = {
      'general.architecture': { type: 'string', value: 'llama' },
      'llama.vocab_size': whole(config.vocab_size),
      'llama.context_length': whole(config.max_position_embeddings),
      'llama.embedding_length': whole(config.hidden_size),
      'llama.block_count': whole(config.num_hidden_layers),
      'llama.feed_forward_length': whole(config.intermediate_size),
      'llama.rope.dimension_count': whole(config.head_dim),
      'llama.rope.freq_base': real(config.rope_theta),
      'llama.attention.head_count': whole(config.num_attention_heads),
      'llama.attention.head_count_kv': whole(config.num_key_value_heads),
      'llama.attention.layer_norm_rms_epsilon': real(config.rms_norm_eps),
      ...tokenizerMetadata(source, config),
    };
    writeGguf(partial, metadata, tensors);
    weights.close();
  });
}

/** Writes a JSONL file of random token ids; `lengths` has the numbers of prompt and label tokens of each row. */
function writeRows(path, lengths, random) {
  const rows = lengths.map(([prompt, answer]) => {
    const input_ids = Array.from({ length: prompt + answer }, () => 3 + random.int(2000));
    return { input_ids, labels: input_ids.map((id, i) => (i < prompt ? -100 : id)) };
  });
  writeFileSync(path, rows.map(row => `${JSON.stringify(row)}\n`).join(''));
}

/** @param {{ count: number, length: number, labels?: number }} spec the loss is on the last `labels` tokens */
async function randomRows({ count, length, labels = length }, folder) {
  return once(join(folder, `random-${count}x${length}-${labels}.jsonl`), partial =>
    writeRows(partial, Array(count).fill([length - labels, labels]), createRandom(count * length)),
  );
}

/** Rows with the lengths of real instructions, loss on the answers; random tokens, since speed depends on lengths only. */
async function instructionRows(folder) {
  return once(join(folder, 'instruction-lengths.jsonl'), partial => {
    const { rows } = JSON.parse(readFileSync(new URL('instructionLengths.json', import.meta.url), 'utf8'));
    writeRows(partial, rows, createRandom(rows.length));
  });
}

export async function rowsFile(rows, folder) {
  mkdirSync(folder, { recursive: true });
  return rows === 'instructions' ? instructionRows(folder) : randomRows(rows, folder);
}
