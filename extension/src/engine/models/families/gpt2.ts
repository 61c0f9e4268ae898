// GPT-2 (learned positions, LayerNorm, one fused q/k/v projection, weights as Conv1D [in, out]).
import * as z from 'zod';
import { InputError } from '../../../core/inputError.js';
import { ACTIVATION_NAMES } from '../activations.js';
import type { LayerSpec, LinearSpec, ModelDescription, ModelFamily, NormSpec } from '../architecture.js';
import { readConfig } from './readConfig.js';

const size = z.int().positive().max(10_000_000);

const configSchema = z.object({
  n_embd: size,
  n_layer: size.max(1000),
  n_head: size,
  n_positions: size.default(1024),
  n_inner: size.nullish(),
  vocab_size: size,
  layer_norm_epsilon: z.number().positive().default(1e-5),
  activation_function: z.enum(ACTIVATION_NAMES).default('gelu_new'),
  scale_attn_weights: z.boolean().default(true),
  scale_attn_by_inverse_layer_idx: z.boolean().default(false),
  tie_word_embeddings: z.boolean().nullish(),
});

/** Transformers' names for all families, which it accepts here too. */
const ALIASES = {
  hidden_size: 'n_embd',
  num_hidden_layers: 'n_layer',
  num_attention_heads: 'n_head',
  max_position_embeddings: 'n_positions',
} as const;

export const gpt2: ModelFamily = {
  modelType: 'gpt2',
  causalLm: 'GPT2LMHeadModel',
  keys: {
    implemented: [...Object.keys(configSchema.shape), ...Object.keys(ALIASES)],
    // Dropout is deliberately not applied. reorder_and_upcast_attn only matters below float32.
    withoutEffect: [
      ...['resid_pdrop', 'embd_pdrop', 'attn_pdrop', 'reorder_and_upcast_attn', 'n_ctx'],
      ...['summary_type', 'summary_use_proj', 'summary_activation', 'summary_proj_to_labels'],
      ...['summary_first_dropout', 'summary_last_dropout', 'predict_special_tokens', 'n_special'],
    ],
    refused: { position_embedding_type: { allowed: ['absolute'], reason: 'positions are learned' } },
  },
  describe,
};

function describe(raw: Record<string, unknown>, file: string): ModelDescription {
  const config = readConfig(configSchema, gpt2.keys.implemented, withOwnNames(raw, file), file);
  const hidden = config.n_embd;
  const heads = config.n_head;
  const headDim = hidden / heads;
  if (!Number.isInteger(headDim))
    throw new InputError(`n_embd (${hidden}) is not a multiple of n_head (${heads})`, { file });
  const norm = (name: string): NormSpec => ({ kind: 'layer', name, epsilon: config.layer_norm_epsilon });
  const conv1d = (name: string): LinearSpec => ({ name, hasBias: true, conv1d: true });
  const layer = (index: number): LayerSpec => ({
    attentionNorm: norm('ln_1'),
    attention: {
      heads,
      keyValueHeads: heads,
      headDim,
      scale:
        (config.scale_attn_weights ? 1 / Math.sqrt(headDim) : 1) /
        (config.scale_attn_by_inverse_layer_idx ? index + 1 : 1),
      window: null,
      rotary: null,
      projections: [conv1d('attn.c_attn')],
      headNorms: null,
      output: conv1d('attn.c_proj'),
    },
    mlpNorm: norm('ln_2'),
    mlp: {
      width: config.n_inner ?? 4 * hidden,
      activation: config.activation_function,
      gate: null,
      up: conv1d('mlp.c_fc'),
      down: conv1d('mlp.c_proj'),
    },
  });

  return {
    modelType: 'gpt2',
    hiddenSize: hidden,
    vocabSize: config.vocab_size,
    maxPositions: config.n_positions,
    embedding: 'transformer.wte',
    positionEmbedding: 'transformer.wpe',
    blocks: 'transformer.h',
    layers: Array.from({ length: config.n_layer }, (_, i) => layer(i)),
    finalNorm: norm('transformer.ln_f'),
    head: 'lm_head',
    tieWordEmbeddings: config.tie_word_embeddings ?? true,
    defaultTargets: { lora: ['c_attn'], ia3: ['c_attn', 'mlp.c_proj'], ia3FeedForward: ['mlp.c_proj'] },
  };
}

/** The config with GPT-2's own names. @throws InputError if a key contradicts its other name */
function withOwnNames(raw: Record<string, unknown>, file: string): Record<string, unknown> {
  const config = { ...raw };
  for (const [alias, name] of Object.entries(ALIASES)) {
    if ((raw[alias] ?? null) === null) continue;
    config[name] ??= raw[alias];
    if (config[name] !== raw[alias])
      throw new InputError(`${name} ${raw[name]} and ${alias} ${raw[alias]} are two names of one key`, {
        file,
        key: name,
        hint: `Remove ${alias}.`,
      });
  }
  return config;
}
