// Writes the embedded model with random weights, initialized like a Llama in Transformers, for pretraining. Run by make.mjs after
// the tokenizer is trained.
// Usage: node initModel.mjs MODEL_FOLDER OUTPUT_FOLDER [SEED]
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { importEngineModule } from './engineModule.mjs';
import { createRandom } from './random.mjs';

export const modelJsonFiles = ['config.json', 'tokenizer.json', 'tokenizer_config.json'];

/**
 * Transformers' names and shapes of the tensors of a Llama with tied embeddings.
 * @param {Record<string, any>} config
 * @returns {[string, number[]][]}
 */
export function llamaTensors(config) {
  const { hidden_size: hidden, intermediate_size: inner, head_dim: head } = config;
  const queries = config.num_attention_heads * head;
  const keys = config.num_key_value_heads * head;
  const layer = index =>
    Object.entries({
      'input_layernorm.weight': [hidden],
      'self_attn.q_proj.weight': [queries, hidden],
      'self_attn.k_proj.weight': [keys, hidden],
      'self_attn.v_proj.weight': [keys, hidden],
      'self_attn.o_proj.weight': [hidden, queries],
      'post_attention_layernorm.weight': [hidden],
      'mlp.gate_proj.weight': [inner, hidden],
      'mlp.up_proj.weight': [inner, hidden],
      'mlp.down_proj.weight': [hidden, inner],
    }).map(([name, shape]) => [`model.layers.${index}.${name}`, shape]);
  return [
    ['model.embed_tokens.weight', [config.vocab_size, hidden]],
    ...Array.from({ length: config.num_hidden_layers }, (_, index) => layer(index)).flat(),
    ['model.norm.weight', [hidden]],
  ];
}

/**
 * Matrices from N(0, initializer_range), norms one.
 * @param {Record<string, any>} config
 * @param {number} seed
 */
export function randomTensors(config, seed) {
  const random = createRandom(seed);
  return llamaTensors(config).map(([name, shape]) => {
    const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
    for (let i = 0; i < data.length; i++) data[i] = shape.length === 1 ? 1 : random.normal() * config.initializer_range;
    return { name, shape, dtype: 'F32', data };
  });
}

/** @param {string} modelFolder config and tokenizer @param {string} outputFolder @param {number} seed */
export async function initModel(modelFolder, outputFolder, seed) {
  const { writeSafetensors } = await importEngineModule('engine/files/safetensors.ts');
  const config = JSON.parse(readFileSync(path.join(modelFolder, 'config.json'), 'utf8'));
  mkdirSync(outputFolder, { recursive: true });
  for (const name of modelJsonFiles) copyFileSync(path.join(modelFolder, name), path.join(outputFolder, name));
  writeSafetensors(path.join(outputFolder, 'model.safetensors'), randomTensors(config, seed));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [modelFolder, outputFolder, seed = '1'] = process.argv.slice(2);
  if (!modelFolder || !outputFolder) {
    console.error('Usage: node initModel.mjs MODEL_FOLDER OUTPUT_FOLDER [SEED]');
    process.exit(2);
  }
  await initModel(modelFolder, outputFolder, Number(seed));
}
