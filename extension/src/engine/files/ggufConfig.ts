// Rebuilds config.json of a GGUF model from its metadata, with Hugging Face's keys. Called by ggufModel.ts. What the metadata
// lacks is derived from the tensors: biases, a tied head.
import { InputError } from '../../core/inputError.js';
import type { GgufMetadata } from './ggufMetadata.js';
import type { StoredTensor } from './tensorSource.js';

type Config = Record<string, unknown>;
type Tensors = ReadonlyMap<string, StoredTensor>;

/** Keys that would change what the model computes, and the value with which they don't. */
const NEUTRAL_NUMBERS: Readonly<Record<string, number>> = {
  'attention.clamp_kqv': 0,
  'attention.max_alibi_bias': 0,
  'attention.scale': 0,
  attn_logit_softcapping: 0,
  embedding_scale: 1,
  expert_count: 0,
  final_logit_softcapping: 0,
  logit_scale: 1,
  residual_scale: 1,
};

/**
 * @param tensors with GGUF's names
 * @throws InputError on metadata that is missing, or that would change what the model computes
 */
export function ggufConfig(architecture: string, metadata: GgufMetadata, tensors: Tensors): Config {
  for (const [name, neutral] of Object.entries(NEUTRAL_NUMBERS)) {
    const value = metadata.optionalNumber(`${architecture}.${name}`) ?? neutral;
    if (value !== neutral) metadata.fail(`${architecture}.${name}`, `${value} is not supported`);
  }
  if (metadata.optionalBoolean(`${architecture}.attention.causal`) === false)
    metadata.fail(`${architecture}.attention.causal`, 'tokens would see later ones, which a language model must not');
  const embedding = tensors.get('token_embd.weight');
  if (!embedding || embedding.shape.length !== 2) metadata.fail('token_embd.weight', 'this matrix is missing');
  const common = {
    model_type: architecture,
    vocab_size: embedding.shape[0],
    tie_word_embeddings: !tensors.has('output.weight'),
    bos_token_id: metadata.optionalNumber('tokenizer.ggml.bos_token_id'),
    eos_token_id: metadata.optionalNumber('tokenizer.ggml.eos_token_id'),
    torch_dtype: 'float32',
  };
  return {
    ...common,
    ...(architecture === 'gpt2' ? gpt2Config(metadata) : llamaLikeConfig(architecture, metadata, tensors)),
  };
}

/** Rebuilds generation_config.json; chat models may end a turn with another token than a text. */
export function ggufGenerationConfig(metadata: GgufMetadata): Config {
  const id = (name: string) => metadata.optionalNumber(`tokenizer.ggml.${name}_token_id`);
  const ends = [...new Set([id('eos'), id('eot'), id('eom')])].filter(end => end !== null);
  return {
    bos_token_id: id('bos'),
    eos_token_id: ends.length > 1 ? ends : (ends[0] ?? null),
    pad_token_id: id('padding'),
  };
}

function gpt2Config(metadata: GgufMetadata): Config {
  const hidden = metadata.size('gpt2.embedding_length');
  const inner = metadata.size('gpt2.feed_forward_length');
  return {
    n_embd: hidden,
    n_layer: metadata.size('gpt2.block_count'),
    n_head: metadata.size('gpt2.attention.head_count'),
    n_positions: metadata.size('gpt2.context_length'),
    n_inner: inner === 4 * hidden ? null : inner,
    layer_norm_epsilon: metadata.optionalFloat32('gpt2.attention.layer_norm_epsilon') ?? 1e-5,
    activation_function: 'gelu_new',
  };
}

function llamaLikeConfig(architecture: string, metadata: GgufMetadata, tensors: Tensors): Config {
  const key = (name: string) => `${architecture}.${name}`;
  if (tensors.has('blk.0.ffn_gate_inp.weight')) {
    metadata.fail('blk.0.ffn_gate_inp.weight', 'mixture-of-experts models are not supported');
  }
  const hidden = metadata.size(key('embedding_length'));
  const heads = metadata.size(key('attention.head_count'));
  const headDim = metadata.optionalNumber(key('attention.key_length')) ?? hidden / heads;
  const rotated = metadata.optionalNumber(key('rope.dimension_count')) ?? headDim;
  if (rotated !== headDim) {
    metadata.fail(
      key('rope.dimension_count'),
      `rotating only ${rotated} of ${headDim} dimensions of a head is not supported`,
    );
  }
  const theta = metadata.optionalFloat32(key('rope.freq_base')) ?? 10000;
  return {
    hidden_size: hidden,
    intermediate_size: metadata.size(key('feed_forward_length')),
    num_hidden_layers: metadata.size(key('block_count')),
    num_attention_heads: heads,
    num_key_value_heads: metadata.optionalNumber(key('attention.head_count_kv')) ?? heads,
    head_dim: headDim,
    max_position_embeddings: metadata.size(key('context_length')),
    rms_norm_eps: metadata.optionalFloat32(key('attention.layer_norm_rms_epsilon')) ?? 1e-6,
    rope_theta: theta,
    rope_scaling: ropeScaling(architecture, metadata, tensors, theta, headDim),
    hidden_act: 'silu',
    attention_bias: tensors.has('blk.0.attn_q.bias'),
    mlp_bias: tensors.has('blk.0.ffn_up.bias'),
  };
}

function ropeScaling(
  architecture: string,
  metadata: GgufMetadata,
  tensors: Tensors,
  theta: number,
  headDim: number,
): Config | null {
  const factors = tensors.get('rope_freqs.weight');
  if (factors) return llama3Scaling(factors, theta, headDim);
  const key = (name: string) => `${architecture}.rope.${name}`;
  const value = (name: string) => metadata.optionalFloat32(key(name));
  const type = metadata.optionalString(key('scaling.type'));
  // Older files have `scale_linear` instead of `scaling.*`.
  const factor = value('scaling.factor') ?? value('scale_linear');
  const original = metadata.optionalNumber(key('scaling.original_context_length'));
  const common = { rope_type: type ?? 'linear', ...(original && { original_max_position_embeddings: original }) };
  if (type === 'longrope') return { ...common, ...longropeFactors(metadata, tensors, value('scaling.attn_factor')) };
  if (type === 'none' || !factor || factor === 1) return null;
  return type === 'yarn' ? { ...common, factor, ...yarnValues(key, metadata, factor) } : { ...common, factor };
}

/** What llama.cpp's rope_yarn does with further keys. It multiplies its own attention factor by that of the file. */
function yarnValues(key: (name: string) => string, metadata: GgufMetadata, factor: number): Config {
  const value = (name: string) => metadata.optionalFloat32(key(`scaling.${name}`));
  for (const [name, neutral] of [
    ['yarn_ext_factor', 1],
    ['yarn_log_multiplier', 0],
  ] as const)
    if ((value(name) ?? neutral) !== neutral)
      metadata.fail(key(`scaling.${name}`), `a value other than ${neutral} is not supported`);
  const attention = (value('attn_factor') ?? 1) * (value('yarn_attn_factor') ?? 1);
  const [fast, slow] = [value('yarn_beta_fast'), value('yarn_beta_slow')];
  return {
    ...(attention !== 1 && { attention_factor: attention * (1 + 0.1 * Math.log(factor)) }),
    ...(fast && { beta_fast: fast }),
    ...(slow && { beta_slow: slow }),
  };
}

function longropeFactors(metadata: GgufMetadata, tensors: Tensors, attentionFactor: number | null): Config {
  const factors = (length: string) => {
    const tensor = tensors.get(`rope_factors_${length}.weight`);
    return tensor
      ? [...tensor.readFloat32()]
      : metadata.fail(`rope_factors_${length}.weight`, 'this tensor is missing');
  };
  return { short_factor: factors('short'), long_factor: factors('long'), attention_factor: attentionFactor ?? 1 };
}

/**
 * GGUF stores Llama 3's frequency scaling as the divisor of each frequency, Hugging Face as four numbers. The divisor is
 * 1 for short wavelengths, `factor` for long ones, and between them 1 / ((1 - s) / factor + s), s linear in 1 / wavelength:
 * s = (original / wavelength - low) / (high - low). Two points in between determine the line; low is 1 by convention.
 * @throws InputError if the divisors don't follow this rule
 */
function llama3Scaling(tensor: StoredTensor, theta: number, headDim: number): Config | null {
  const divisors = tensor.readFloat32();
  const fail = (): never => {
    throw new InputError('these frequency factors don’t follow Llama 3’s rule', {
      ...tensor.place,
      hint: 'Use the Hugging Face folder of this model instead.',
    });
  };
  if (divisors.length !== headDim / 2) fail();
  const factor = Math.max(...divisors);
  if (factor === 1) return null;
  const inverseWavelength = Array.from(divisors, (_, i) => theta ** ((-2 * i) / headDim) / (2 * Math.PI));
  const between = inverseWavelength
    .map((x, i) => ({ x, s: (1 / divisors[i] - 1 / factor) / (1 - 1 / factor) }))
    .filter(({ s }) => s > 1e-6 && s < 1 - 1e-6);
  if (between.length < 2) fail();
  const [first, last] = [between[0], between[between.length - 1]];
  const slope = (first.s - last.s) / (first.x - last.x);
  const lowOverRange = slope * first.x - first.s;
  const high = Number((1 + 1 / lowOverRange).toPrecision(5));
  const original = Math.round(slope * (high - 1));
  const isRule = divisors.every((divisor, i) => {
    const s = Math.min(1, Math.max(0, (original * inverseWavelength[i] - 1) / (high - 1)));
    return Math.abs(divisor - 1 / ((1 - s) / factor + s)) <= 1e-3 * divisor;
  });
  if (!isRule) fail();
  return {
    rope_type: 'llama3',
    factor,
    low_freq_factor: 1,
    high_freq_factor: high,
    original_max_position_embeddings: original,
  };
}
