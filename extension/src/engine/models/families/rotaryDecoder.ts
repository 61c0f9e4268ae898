// The decoder that Llama, Mistral and Qwen share: RMSNorm before each sublayer, rotary attention with grouped key/value
// heads, a gated feed-forward network. Families differ only in their `Variant`, which is all their files contain.
import { z } from 'zod';
import { InputError } from '../../../core/inputError.js';
import type { LayerSpec, ModelDescription, ModelFamily, NormSpec } from '../architecture.js';
import { ropeScalingSchema, rotaryFrequencies } from '../rotaryFrequencies.js';
import { readConfig } from './readConfig.js';

const size = z.int().positive().max(10_000_000);

const configSchema = z.looseObject({
  hidden_size: size,
  intermediate_size: size,
  num_hidden_layers: size.max(1000),
  num_attention_heads: size,
  num_key_value_heads: size.nullish(),
  head_dim: size.nullish(),
  vocab_size: size,
  max_position_embeddings: size.default(2048),
  rms_norm_eps: z.number().positive().default(1e-6),
  rope_theta: z.number().positive().nullish(),
  rope_scaling: ropeScalingSchema.nullish(),
  rope_parameters: ropeScalingSchema.nullish(),
  tie_word_embeddings: z.boolean().nullish(),
  attention_bias: z.boolean().nullish(),
  mlp_bias: z.boolean().nullish(),
  hidden_act: z.string().default('silu'),
  sliding_window: size.nullish(),
  use_sliding_window: z.boolean().nullish(),
  max_window_layers: z.int().nonnegative().default(28),
  layer_types: z.array(z.string()).nullish(),
});
export type RotaryConfig = z.infer<typeof configSchema>;

export interface Variant {
  modelType: string;
  /** Whether the q, k and v projections have a bias, and the output projection. */
  qkvBias(config: RotaryConfig): boolean;
  outputBias(config: RotaryConfig): boolean;
  /** RMSNorm of each query and key head (Qwen3). */
  qkNorm: boolean;
  defaultHeadDim(config: RotaryConfig): number;
  /** Each layer's sliding window in tokens; null without one. */
  windows(config: RotaryConfig, file: string): readonly (number | null)[];
  /** The attention projection that PEFT's IA3 scales in addition to v_proj. */
  ia3Attention: 'q_proj' | 'k_proj';
}

/** The same window, or none, for all layers. */
export function sameWindow({ num_hidden_layers }: RotaryConfig, window: number | null): (number | null)[] {
  return Array.from({ length: num_hidden_layers }, () => window);
}

/** A family that uses this decoder. */
export function rotaryDecoder(variant: Variant): ModelFamily {
  return { modelType: variant.modelType, describe: (raw, file) => describe(variant, raw, file) };
}

function describe(variant: Variant, raw: Record<string, unknown>, file: string): ModelDescription {
  const config = readConfig(configSchema, raw, file);
  if (config.hidden_act !== 'silu')
    throw new InputError(`hidden_act "${config.hidden_act}" is not supported`, { file });
  const heads = config.num_attention_heads;
  const keyValueHeads = config.num_key_value_heads ?? heads;
  const headDim = config.head_dim ?? variant.defaultHeadDim(config);
  if (heads % keyValueHeads !== 0)
    throw new InputError(`num_attention_heads (${heads}) is not a multiple of num_key_value_heads (${keyValueHeads})`, {
      file,
    });
  if (!Number.isInteger(headDim) || headDim % 2 !== 0)
    throw new InputError(`head_dim (${headDim}) is not an even number`, {
      file,
      hint: 'Without head_dim it is hidden_size / num_attention_heads.',
    });
  const rope = config.rope_parameters ?? config.rope_scaling ?? null;
  const theta = rope?.rope_theta ?? config.rope_theta ?? 10000;

  const rotary = rotaryFrequencies(headDim, theta, rope, file);
  const norm = (name: string): NormSpec => ({ kind: 'rms', name, epsilon: config.rms_norm_eps });
  const projection = (name: string, hasBias: boolean) => ({ name: `self_attn.${name}`, hasBias, conv1d: false });
  const wide = (name: string) => ({ name: `mlp.${name}`, hasBias: config.mlp_bias ?? false, conv1d: false });
  const qkvBias = variant.qkvBias(config);

  const layer = (window: number | null): LayerSpec => ({
    attentionNorm: norm('input_layernorm'),
    attention: {
      heads,
      keyValueHeads,
      headDim,
      window,
      rotary,
      projections: [projection('q_proj', qkvBias), projection('k_proj', qkvBias), projection('v_proj', qkvBias)],
      headNorms: variant.qkNorm ? { queries: norm('self_attn.q_norm'), keys: norm('self_attn.k_norm') } : null,
      output: projection('o_proj', variant.outputBias(config)),
    },
    mlpNorm: norm('post_attention_layernorm'),
    mlp: {
      kind: 'swiglu',
      width: config.intermediate_size,
      gate: wide('gate_proj'),
      up: wide('up_proj'),
      down: wide('down_proj'),
    },
  });

  return {
    modelType: variant.modelType,
    hiddenSize: config.hidden_size,
    vocabSize: config.vocab_size,
    maxPositions: config.max_position_embeddings,
    embedding: 'model.embed_tokens',
    positionEmbedding: null,
    blocks: 'model.layers',
    layers: variant.windows(config, file).map(layer),
    finalNorm: norm('model.norm'),
    head: 'lm_head',
    tieWordEmbeddings: config.tie_word_embeddings ?? false,
    defaultTargets: {
      lora: ['q_proj', 'v_proj'],
      ia3: [variant.ia3Attention, 'v_proj', 'down_proj'],
      ia3FeedForward: ['down_proj'],
    },
  };
}
