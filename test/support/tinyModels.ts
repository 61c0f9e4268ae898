// Small models with random weights, of any family of the registry: in memory, or as a model folder with one of the
// stored tokenizers. Used by contract, unit and integration tests; equal seeds give equal weights.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { createRng } from '../../extension/src/engine/data/rng.js';
import { writeSafetensors } from '../../extension/src/engine/files/safetensors.js';
import { WeightBlocks } from '../../extension/src/engine/files/weightBlocks.js';
import { sizeOf, type Architecture, type ParameterSpec } from '../../extension/src/engine/models/architecture.js';
import { CausalLm } from '../../extension/src/engine/models/causalLm.js';
import { denseOf, QuantizedWeight, type Weight } from '../../extension/src/engine/models/quantizedWeight.js';
import { architectureOf, modelFamilies } from '../../extension/src/engine/models/registry.js';
import { TransposedWeight } from '../../extension/src/engine/models/transposedWeight.js';
import { weightLayouts } from '../../extension/src/engine/models/weightLayouts.js';
import type { UsedWeights } from '../../extension/src/protocol/engineConfig.js';

const SIZES = {
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 4,
  max_position_embeddings: 64,
  attention_bias: true,
};
/** GPT-2's names. */
const GPT2_SIZES = { n_embd: 16, n_layer: 2, n_head: 4, n_positions: 64 };

/** A config.json for every family. Keys and changes that only other families read are left out. */
export function tinyConfig(modelType: string, changes: Record<string, unknown> = {}): Record<string, unknown> {
  const own = modelFamilies.find(family => family.modelType === modelType)!.keys.implemented;
  const others = new Set(modelFamilies.flatMap(({ keys }) => keys.implemented).filter(key => !own.includes(key)));
  const sizes = own.includes('n_embd') ? GPT2_SIZES : SIZES;
  const config = { model_type: modelType, vocab_size: 48, tie_word_embeddings: true, ...sizes, ...changes };
  return Object.fromEntries(Object.entries(config).filter(([key]) => !others.has(key)));
}

/** Parts that few models have: YaRN, exact GELU, and scores scaled by the number of the layer. */
export const RARE_PARTS = {
  rope_scaling: { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 16, beta_fast: 4 },
  hidden_act: 'gelu',
  activation_function: 'gelu',
  scale_attn_by_inverse_layer_idx: true,
};

export function tinyArchitecture(modelType: string, changes: Record<string, unknown> = {}): Architecture {
  return architectureOf(tinyConfig(modelType, changes), 'config.json');
}

/**
 * Changes that give a family's layers a sliding window: none of them, all, and every other one.
 */
export function windowVariants(modelType: string, window: number): Record<string, unknown>[] {
  const { length } = tinyArchitecture(modelType).layers;
  const layer_types = Array.from({ length }, (_, i) => (i % 2 === 0 ? 'sliding_attention' : 'full_attention'));
  const windows = { sliding_window: window, use_sliding_window: true, max_window_layers: 0 };
  const seen = new Set<string>();
  return [{}, windows, { ...windows, layer_types }].filter(changes => {
    const layers = JSON.stringify(tinyArchitecture(modelType, changes).layers);
    return !seen.has(layers) && seen.add(layers);
  });
}

/** Weights that are large enough for every part of the model to matter. */
function randomWeights({ name, shape, kind }: ParameterSpec, seed: number): Float32Array {
  const rng = createRng(seed).fork(name);
  const scale = kind === 'embedding' ? 1 : kind === 'norm' || shape.length === 1 ? 0.2 : 1.5 / Math.sqrt(shape[0]!);
  const middle = kind === 'norm' && name.endsWith('.weight') ? 1 : 0;
  return Float32Array.from({ length: sizeOf(shape) }, () => middle + scale * rng.normal());
}

/** The caller disposes it. */
export function tinyModel(
  modelType: string,
  changes: Record<string, unknown> = {},
  seed = 1,
  settings: UsedWeights = { base_weights: 'float32', precision: 'float32' },
): CausalLm {
  const architecture = tinyArchitecture(modelType, changes);
  const nothingStored = architecture.parameters.map(({ shape }) => ({ byteLength: 4 * sizeOf(shape) }));
  const layouts = weightLayouts(architecture, nothingStored, settings);
  const weights = architecture.parameters.map((parameter): [string, Weight] => {
    const values = randomWeights(parameter, seed);
    const layout = layouts.get(parameter.name);
    if (!layout) return [parameter.name, tf.tensor(values, [...parameter.shape])];
    const blocks = new WeightBlocks(layout.format, layout.shape);
    blocks.quantizeRows(0, values);
    return [parameter.name, QuantizedWeight.of(blocks, layout)];
  });
  return new CausalLm(architecture, new Map(weights));
}

/** The same model with dequantized matrices; the caller disposes it. */
export function dequantizedModel(model: CausalLm): CausalLm {
  const { architecture } = model;
  const weights = architecture.parameters.map(({ name }): [string, tf.Tensor] => [
    name,
    tf.tidy(() => tf.clone(denseOf(model.weight(name)))),
  ]);
  return new CausalLm(architecture, new Map(weights));
}

/** The same model with its matrices held transposed; the caller disposes it. */
export function transposedModel(model: CausalLm): CausalLm {
  const { architecture } = model;
  const transposable = TransposedWeight.namesIn(architecture);
  const weights = architecture.parameters.map(({ name }): [string, Weight] => {
    const copy = tf.tidy(() => tf.clone(denseOf(model.weight(name))));
    return [name, transposable.has(name) ? TransposedWeight.of(copy as tf.Tensor2D) : copy];
  });
  return new CausalLm(architecture, new Map(weights));
}

const tokenizers = new URL('../fixtures/tokenizers/', import.meta.url);

export interface TinyFolderOptions {
  modelType?: string;
  changes?: Record<string, unknown>;
  /** One of test/fixtures/tokenizers; smollm has a chat template, gpt2 has none. */
  tokenizer?: string;
  seed?: number;
}

/** Writes a model folder with a tokenizer of at most 522 tokens. */
export function writeTinyModel(
  folder: string,
  { modelType = 'llama', changes = {}, tokenizer = 'smollm', seed = 1 }: TinyFolderOptions = {},
): string {
  mkdirSync(folder, { recursive: true });
  const config = tinyConfig(modelType, { vocab_size: 522, max_position_embeddings: 256, n_positions: 256, ...changes });
  const { parameters } = architectureOf(config, folder);
  writeSafetensors(
    join(folder, 'model.safetensors'),
    parameters.map(parameter => ({
      name: parameter.name,
      shape: parameter.shape,
      dtype: 'F32',
      data: () => randomWeights(parameter, seed),
    })),
  );
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config, null, 2));
  for (const file of ['tokenizer.json', 'tokenizer_config.json'])
    writeFileSync(join(folder, file), readFileSync(new URL(`${tokenizer}/${file}`, tokenizers)));
  return folder;
}
