// What each key of config.json means here: implemented, known and without effect, or refused unless it has a value with
// which the model computes the same. The shared part of the lists; each family adds its own keys. Followed through
// Transformers 5.24's configuration classes and modelling code, key by key, with the names of older releases and of
// models that call themselves one of these families but compute something else. Read by registry.ts.
import { InputError } from '../../core/inputError.js';
import { ropeScalingSchema } from './rotaryFrequencies.js';

/** A key that is refused unless it is missing, null or allowed. */
export interface RefusedKey {
  allowed: readonly unknown[] | ((value: unknown, config: Record<string, unknown>) => boolean);
  /** What another value would mean. */
  reason: string;
}

/** The keys of a family's config.json. */
export interface ConfigKeys {
  /** Read by the family's `describe`. */
  implemented: readonly string[];
  /** Change nothing that is computed here. */
  withoutEffect: readonly string[];
  refused: Readonly<Record<string, RefusedKey>>;
}

/** Read outside of the families: by registry.ts, by the check for quantized weights and by generation. */
export const READ_ELSEWHERE = ['model_type', 'architectures', 'auto_map', 'quantization_config', 'quantization'];

/** Of every model: metadata, settings of libraries, and settings of generation, which belong in generation_config.json. */
const WITHOUT_EFFECT = [
  ...['_name_or_path', 'name_or_path', '_commit_hash', 'transformers_version', 'transformers.js_config', 'version'],
  ...['torch_dtype', 'dtype', 'use_cache', 'use_bfloat16', 'torchscript', 'initializer_range', 'init_std'],
  ...['_attn_implementation', 'attn_implementation', '_attn_implementation_autoset', '_flash_attn_2_enabled'],
  ...['_experts_implementation', 'experts_implementation', 'use_flash_attention', 'gradient_checkpointing'],
  ...[
    'output_attentions',
    'output_hidden_states',
    'output_past',
    'return_dict',
    'tie_last_hidden_states',
    'chunk_size_feed_forward',
  ],
  ...['is_decoder', 'tie_encoder_decoder', 'cross_attention_hidden_size', 'tf_legacy_loss', 'loss_type'],
  ...[
    'id2label',
    'label2id',
    'num_labels',
    '_num_labels',
    'problem_type',
    'finetuning_task',
    'task_specific_params',
    'score_bias',
  ],
  ...['classifier_dropout', 'tokenizer_class', 'prefix', 'max_sequence_length', 'model_max_length', 'vocab_file'],
  ...['bos_token_id', 'eos_token_id', 'pad_token_id', 'sep_token_id', 'unk_token_id', 'decoder_start_token_id'],
  ...['bos_token', 'eos_token', 'pad_token', 'unk_token', 'chat_template'],
  // Of tools that train or serve.
  ...['unsloth_version', 'unsloth_fixed', 'unsloth_optimized', 'use_mambapy', 'sentence_transformers', 'base_model'],
  // Generation, as older releases wrote it here.
  ...['max_length', 'max_new_tokens', 'min_length', 'min_new_tokens', 'do_sample', 'early_stopping', 'num_beams'],
  ...['num_beam_groups', 'diversity_penalty', 'temperature', 'top_k', 'top_p', 'min_p', 'typical_p', 'epsilon_cutoff'],
  ...['eta_cutoff', 'repetition_penalty', 'encoder_repetition_penalty', 'length_penalty', 'no_repeat_ngram_size'],
  ...['encoder_no_repeat_ngram_size', 'bad_words_ids', 'num_return_sequences', 'output_scores', 'renormalize_logits'],
  ...['return_dict_in_generate', 'forced_bos_token_id', 'forced_eos_token_id', 'remove_invalid_values'],
  ...['exponential_decay_length_penalty', 'suppress_tokens', 'begin_suppress_tokens', 'max_window_size'],
];

/** Of every model. */
const REFUSED: ConfigKeys['refused'] = {
  is_causal: { allowed: [true], reason: 'tokens would see later ones, which a language model must not' },
  use_bidirectional_attention: { allowed: [false], reason: 'tokens would see later ones' },
  is_encoder_decoder: { allowed: [false], reason: 'only decoders are supported' },
  add_cross_attention: { allowed: [false], reason: 'only self-attention is supported' },
  pruned_heads: { allowed: [{}], reason: 'all layers need all heads' },
  per_layer_config: { allowed: [{}], reason: 'settings of single layers are not supported' },
};

const FOREIGN = 'models of this family have no such part, and Transformers would leave it out';
const EXPERTS = 'mixture-of-experts models are not supported';

/**
 * Of models that have `model_type` llama, mistral or qwen, but further parts (Granite, MiniCPM, Gemma, Cohere,
 * StableLM, Falcon, SmolLM3, Llama 4 and others).
 */
export const ROTARY_REFUSED: ConfigKeys['refused'] = {
  partial_rotary_factor: { allowed: [1], reason: 'whole heads are rotated' },
  rotary_pct: { allowed: [1], reason: 'whole heads are rotated' },
  rope_interleave: { allowed: [false], reason: 'the two halves of a head are rotated, not neighbouring values' },
  rope_interleaved: { allowed: [false], reason: 'the two halves of a head are rotated, not neighbouring values' },
  position_embedding_type: { allowed: ['rope', 'rotary'], reason: 'positions are rotary' },
  alibi: { allowed: [false], reason: 'positions are rotary' },
  no_rope_layers: { allowed: [], reason: 'all layers are rotated' },
  no_rope_layer_interval: { allowed: [], reason: 'all layers are rotated' },
  rope_local_base_freq: { allowed: [], reason: 'all layers have the same rotation' },
  local_rope_theta: { allowed: [], reason: 'all layers have the same rotation' },
  embedding_multiplier: { allowed: [1], reason: FOREIGN },
  residual_multiplier: { allowed: [1], reason: FOREIGN },
  attention_multiplier: { allowed: [], reason: FOREIGN },
  logits_scaling: { allowed: [1], reason: FOREIGN },
  logit_scale: { allowed: [1], reason: FOREIGN },
  scale_emb: { allowed: [1], reason: FOREIGN },
  scale_depth: { allowed: [], reason: FOREIGN },
  dim_model_base: { allowed: [], reason: FOREIGN },
  query_pre_attn_scalar: { allowed: [], reason: FOREIGN },
  attn_logit_softcapping: { allowed: [], reason: FOREIGN },
  final_logit_softcapping: { allowed: [], reason: FOREIGN },
  attn_temperature_tuning: { allowed: [false], reason: FOREIGN },
  attention_chunk_size: { allowed: [], reason: FOREIGN },
  v_head_dim: {
    allowed: (size, { head_dim }) => size === head_dim,
    reason: 'values have the size of queries and keys',
  },
  use_mrope: { allowed: [false], reason: 'only text is supported' },
  clip_qkv: { allowed: [], reason: FOREIGN },
  use_parallel_residual: { allowed: [false], reason: FOREIGN },
  parallel_attn: { allowed: [false], reason: FOREIGN },
  num_experts: { allowed: [0, 1], reason: EXPERTS },
  num_local_experts: { allowed: [0, 1], reason: EXPERTS },
  n_routed_experts: { allowed: [0], reason: EXPERTS },
};

/** A family's keys with those of every model. */
export function allKeys({ implemented, withoutEffect, refused }: ConfigKeys): ConfigKeys {
  return {
    implemented,
    withoutEffect: [...READ_ELSEWHERE, ...WITHOUT_EFFECT, ...withoutEffect],
    refused: { ...REFUSED, ...refused },
  };
}

/** @throws InputError for the first key whose value would change what the model computes */
export function checkRefusedKeys(config: Record<string, unknown>, keys: ConfigKeys, file: string): void {
  for (const [key, { allowed, reason }] of Object.entries(allKeys(keys).refused)) {
    const value = config[key] ?? null;
    const isAllowed =
      typeof allowed === 'function'
        ? allowed(value, config)
        : allowed.some(other => JSON.stringify(other) === JSON.stringify(value));
    if (value !== null && !isAllowed)
      throw new InputError(`${key} ${JSON.stringify(value)} is not supported: ${reason}`, { file, key });
  }
}

/** Keys that are in no list, those of the rope scaling as `rope_scaling.key`. */
export function unknownKeys(config: Record<string, unknown>, keys: ConfigKeys): string[] {
  const { implemented, withoutEffect, refused } = allKeys(keys);
  const known = new Set([...implemented, ...withoutEffect, ...Object.keys(refused)]);
  const ofRope = ['rope_scaling', 'rope_parameters'].filter(key => implemented.includes(key));
  const rope = new Set([...Object.keys(ropeScalingSchema.shape), 'finetuned']);
  return [
    ...Object.keys(config).filter(key => !known.has(key)),
    ...ofRope.flatMap(key =>
      Object.keys((config[key] ?? {}) as object)
        .filter(within => !rope.has(within))
        .map(within => `${key}.${within}`),
    ),
  ];
}
