// The decoder that Llama, Mistral and Qwen share: RMSNorm before each sublayer, rotary attention with grouped key/value
// heads, a gated feed-forward block. What differs between the families is in `Variant`; their files hold nothing else.
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { InputError } from '../../../core/inputError.js';
import type { Architecture, ForwardPass, LinearModule, ModelFamily, ParameterSpec } from '../architecture.js';
import { rmsNorm, rotate, swiglu } from '../ops.js';
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
});
type Config = z.infer<typeof configSchema>;

export interface Variant {
  modelType: string;
  /** Which attention projections carry a bias. */
  qkvBias(config: Config): boolean;
  outputBias(config: Config): boolean;
  /** RMSNorm over each query and key head (Qwen3). */
  qkNorm: boolean;
  defaultHeadDim(config: Config): number;
  slidingWindow(config: Config): number | null;
  /** The attention projection that PEFT's IA3 scales beside v_proj. */
  ia3Attention: 'q_proj' | 'k_proj';
}

/** Builds a family of this decoder. */
export function rotaryDecoder(variant: Variant): ModelFamily {
  return { modelType: variant.modelType, architecture: (raw, where) => build(variant, raw, where) };
}

function build(variant: Variant, raw: Record<string, unknown>, where: string): Architecture {
  const config = readConfig(configSchema, raw, where);
  if (config.hidden_act !== 'silu')
    throw new InputError(`hidden_act "${config.hidden_act}" is not supported`, { where });
  const hidden = config.hidden_size;
  const heads = config.num_attention_heads;
  const kvHeads = config.num_key_value_heads ?? heads;
  const headDim = config.head_dim ?? variant.defaultHeadDim(config);
  const epsilon = config.rms_norm_eps;
  if (heads % kvHeads !== 0)
    throw new InputError(`num_attention_heads (${heads}) is no multiple of num_key_value_heads (${kvHeads})`, {
      where,
    });
  if (!Number.isInteger(headDim) || headDim % 2 !== 0)
    throw new InputError(`head_dim (${headDim}) must be an even number; hidden_size / num_attention_heads gives it`, {
      where,
    });
  const rope = config.rope_parameters ?? config.rope_scaling ?? null;
  const theta = rope?.rope_theta ?? config.rope_theta ?? 10000;

  const parameters: ParameterSpec[] = [];
  const linears: LinearModule[] = [];
  const norm = (name: string, width: number, layer: number | null) =>
    parameters.push({ name: `${name}.weight`, shape: [width], kind: 'norm', layer });
  const linear = (name: string, inFeatures: number, outFeatures: number, hasBias: boolean, layer: number) => {
    linears.push({ name, inFeatures, outFeatures, hasBias, conv1d: false, layer });
    parameters.push({ name: `${name}.weight`, shape: [outFeatures, inFeatures], kind: 'linear', layer });
    if (hasBias) parameters.push({ name: `${name}.bias`, shape: [outFeatures], kind: 'linear', layer });
  };

  parameters.push({
    name: 'model.embed_tokens.weight',
    shape: [config.vocab_size, hidden],
    kind: 'embedding',
    layer: null,
  });
  for (let i = 0; i < config.num_hidden_layers; i++) {
    const block = `model.layers.${i}`;
    const qkvBias = variant.qkvBias(config);
    const mlpBias = config.mlp_bias ?? false;
    linear(`${block}.self_attn.q_proj`, hidden, heads * headDim, qkvBias, i);
    linear(`${block}.self_attn.k_proj`, hidden, kvHeads * headDim, qkvBias, i);
    linear(`${block}.self_attn.v_proj`, hidden, kvHeads * headDim, qkvBias, i);
    linear(`${block}.self_attn.o_proj`, heads * headDim, hidden, variant.outputBias(config), i);
    if (variant.qkNorm) {
      norm(`${block}.self_attn.q_norm`, headDim, i);
      norm(`${block}.self_attn.k_norm`, headDim, i);
    }
    linear(`${block}.mlp.gate_proj`, hidden, config.intermediate_size, mlpBias, i);
    linear(`${block}.mlp.up_proj`, hidden, config.intermediate_size, mlpBias, i);
    linear(`${block}.mlp.down_proj`, config.intermediate_size, hidden, mlpBias, i);
    norm(`${block}.input_layernorm`, hidden, i);
    norm(`${block}.post_attention_layernorm`, hidden, i);
  }
  norm('model.norm', hidden, null);
  const tied = config.tie_word_embeddings ?? false;
  linears.push({
    name: 'lm_head',
    inFeatures: hidden,
    outFeatures: config.vocab_size,
    hasBias: false,
    conv1d: false,
    layer: null,
  });
  if (!tied)
    parameters.push({ name: 'lm_head.weight', shape: [config.vocab_size, hidden], kind: 'linear', layer: null });

  const normalize = <T extends tf.Tensor>(pass: ForwardPass, x: T, name: string): T =>
    rmsNorm(x, pass.parameter(`${name}.weight`), epsilon);
  const layer = (pass: ForwardPass, i: number, x: tf.Tensor2D): tf.Tensor2D => {
    const [batch, seq] = pass.input.inputIds.shape;
    const split = (x: tf.Tensor2D, count: number) => tf.reshape(x, [batch, seq, count, headDim]) as tf.Tensor4D;
    const block = `model.layers.${i}`;
    const a = normalize(pass, x, `${block}.input_layernorm`);
    let q = split(pass.linear(`${block}.self_attn.q_proj`, a), heads);
    let k = split(pass.linear(`${block}.self_attn.k_proj`, a), kvHeads);
    const v = split(pass.linear(`${block}.self_attn.v_proj`, a), kvHeads);
    if (variant.qkNorm) {
      q = normalize(pass, q, `${block}.self_attn.q_norm`);
      k = normalize(pass, k, `${block}.self_attn.k_norm`);
    }
    const attended = pass.attend(i, rotate(q, pass.rotary!), rotate(k, pass.rotary!), v);
    const h = tf.add(x, pass.sublayer(i, 'attention', pass.linear(`${block}.self_attn.o_proj`, attended)));

    const m = normalize(pass, h, `${block}.post_attention_layernorm`) as tf.Tensor2D;
    const gated = swiglu(pass.linear(`${block}.mlp.gate_proj`, m), pass.linear(`${block}.mlp.up_proj`, m));
    return tf.add(h, pass.sublayer(i, 'feed_forward', pass.linear(`${block}.mlp.down_proj`, gated)));
  };

  return {
    modelType: variant.modelType,
    numLayers: config.num_hidden_layers,
    hiddenSize: hidden,
    intermediateSize: config.intermediate_size,
    numHeads: heads,
    numKeyValueHeads: kvHeads,
    headDim,
    vocabSize: config.vocab_size,
    maxPositions: config.max_position_embeddings,
    slidingWindow: variant.slidingWindow(config),
    rotary: rotaryFrequencies(headDim, theta, rope, where),
    parameters,
    linears,
    embedding: 'model.embed_tokens',
    head: 'lm_head',
    tieWordEmbeddings: tied,
    defaultTargets: {
      lora: ['q_proj', 'v_proj'],
      ia3: [variant.ia3Attention, 'v_proj', 'down_proj'],
      ia3FeedForward: ['down_proj'],
    },
    embed: pass => pass.embedTokens('model.embed_tokens'),
    layer,
    finalNorm: (pass, x) => normalize(pass, x, 'model.norm'),
  };
}
