// The decoder that Llama, Mistral and Qwen share: RMSNorm before each sublayer, rotary attention with grouped key/value
// heads, a gated feed-forward network. Families differ only in their `Variant`, which is all their files contain.
import * as z from 'zod';
import { InputError } from '../../../core/inputError.js';
import { ACTIVATION_NAMES } from '../activations.js';
import type { LayerSpec, ModelDescription, ModelFamily, NormSpec, RotaryFrequencies } from '../architecture.js';
import { ROTARY_REFUSED, type ConfigKeys, type RefusedKey } from '../configKeys.js';
import { ropeKey, ropeScalingSchema, rotaryFrequencies } from '../rotaryFrequencies.js';
import { readConfig } from './readConfig.js';

const size = z.int().positive().max(10_000_000);

const configSchema = z.object({
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
  original_max_position_embeddings: size.nullish(),
  tie_word_embeddings: z.boolean().nullish(),
  attention_bias: z.boolean().nullish(),
  mlp_bias: z.boolean().nullish(),
  hidden_act: z.enum(ACTIVATION_NAMES).default('silu'),
  sliding_window: size.nullish(),
  use_sliding_window: z.boolean().nullish(),
  max_window_layers: z.int().nonnegative().default(28),
  layer_types: z.array(z.string()).nullish(),
});
export type RotaryConfig = z.infer<typeof configSchema>;

/** Keys that all families with this decoder read, in addition to those of their variant. */
const IMPLEMENTED = [
  ...['hidden_size', 'intermediate_size', 'num_hidden_layers', 'num_attention_heads', 'num_key_value_heads'],
  ...['head_dim', 'vocab_size', 'max_position_embeddings', 'original_max_position_embeddings', 'rms_norm_eps'],
  ...['rope_theta', 'rope_scaling', 'rope_parameters', 'hidden_act', 'tie_word_embeddings'],
];

/** For a bias that only other families have. */
export const NO_BIAS: RefusedKey = { allowed: [false], reason: 'models of this family have no such biases' };

export interface Variant extends ConfigKeys {
  modelType: string;
  causalLm: string;
  /** What a missing key means, where that isn't the decoder's own default; null has no such meaning. */
  defaults: Readonly<Record<string, number>>;
  /** Whether the q, k and v projections have a bias, the output projection, and those of the feed-forward network. */
  qkvBias(config: RotaryConfig): boolean;
  outputBias(config: RotaryConfig): boolean;
  mlpBias(config: RotaryConfig): boolean;
  /** RMSNorm of each query and key head (Qwen3). */
  qkNorm: boolean;
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
  const implemented = [...IMPLEMENTED, ...variant.implemented];
  return {
    modelType: variant.modelType,
    causalLm: variant.causalLm,
    keys: {
      implemented,
      // Dropout is deliberately not applied.
      withoutEffect: ['attention_dropout', ...variant.withoutEffect],
      refused: { ...ROTARY_REFUSED, ...variant.refused },
    },
    describe: (raw, file) => describe(variant, implemented, raw, file),
  };
}

function describe(
  variant: Variant,
  keys: readonly string[],
  raw: Record<string, unknown>,
  file: string,
): ModelDescription {
  const config = readConfig(configSchema, keys, raw, file, variant.defaults);
  const heads = config.num_attention_heads;
  const keyValueHeads = config.num_key_value_heads ?? heads;
  const headDim = config.head_dim ?? config.hidden_size / heads;
  if (heads % keyValueHeads !== 0)
    throw new InputError(`num_attention_heads (${heads}) is not a multiple of num_key_value_heads (${keyValueHeads})`, {
      file,
    });
  if (!Number.isInteger(headDim) || headDim % 2 !== 0)
    throw new InputError(`head_dim (${headDim}) is not an even number`, {
      file,
      hint: 'Without head_dim it is hidden_size / num_attention_heads.',
    });
  const rotary = rotationOf(config, headDim, file);
  const norm = (name: string): NormSpec => ({ kind: 'rms', name, epsilon: config.rms_norm_eps });
  const projection = (name: string, hasBias: boolean) => ({ name: `self_attn.${name}`, hasBias, conv1d: false });
  const wide = (name: string) => ({ name: `mlp.${name}`, hasBias: variant.mlpBias(config), conv1d: false });
  const qkvBias = variant.qkvBias(config);

  const layer = (window: number | null): LayerSpec => ({
    attentionNorm: norm('input_layernorm'),
    attention: {
      heads,
      keyValueHeads,
      headDim,
      scale: 1 / Math.sqrt(headDim),
      window,
      rotary,
      projections: [projection('q_proj', qkvBias), projection('k_proj', qkvBias), projection('v_proj', qkvBias)],
      headNorms: variant.qkNorm ? { queries: norm('self_attn.q_norm'), keys: norm('self_attn.k_norm') } : null,
      output: projection('o_proj', variant.outputBias(config)),
    },
    mlpNorm: norm('post_attention_layernorm'),
    mlp: {
      width: config.intermediate_size,
      activation: config.hidden_act,
      gate: wide('gate_proj'),
      up: wide('up_proj'),
      down: wide('down_proj'),
    },
  });

  return {
    modelType: variant.modelType,
    hiddenSize: config.hidden_size,
    vocabSize: config.vocab_size,
    maxPositions: Math.min(config.max_position_embeddings, rotary.maxPositions ?? Infinity),
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

function rotationOf(config: RotaryConfig, headDim: number, file: string): RotaryFrequencies {
  const key = ropeKey(config);
  const scaling = config[key] ?? null;
  if (Object.values(scaling ?? {}).some(value => typeof value === 'object' && !Array.isArray(value) && value !== null))
    throw new InputError('a rotation for each type of layer is not supported', { file, key });
  return rotaryFrequencies(
    {
      headDim,
      scaling,
      theta: scaling?.rope_theta ?? config.rope_theta ?? 10000,
      maxPositions: config.max_position_embeddings,
      originalPositions: config.original_max_position_embeddings ?? null,
    },
    file,
  );
}
