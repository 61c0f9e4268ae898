// Maps GGUF tensors to Hugging Face tensors, per architecture, with the transform of their values.
// One table for both directions: for ggufModel.ts, and for the export of adapters to GGUF.
// Facts from llama.cpp's gguf-py/gguf/tensor_mapping.py and conversion scripts.

/**
 * From Hugging Face to GGUF:
 * - `none`: the same values;
 * - `rotary_q`, `rotary_k`: the rows of each head are permuted, since llama.cpp rotates neighbouring pairs where
 *   Transformers rotates the two halves of a head (heads = num_attention_heads, num_key_value_heads);
 * - `transpose`: GPT-2's Conv1D weights are [in, out], GGUF has them [out, in].
 */
export type GgufTransform = 'none' | 'rotary_q' | 'rotary_k' | 'transpose';

export interface NameInOtherFormat {
  name: string;
  transform: GgufTransform;
}

interface NameRow {
  /** `{n}` is the number of the block. */
  gguf: string;
  huggingFace: string;
  transform: GgufTransform;
}

const row = (gguf: string, huggingFace: string, transform: GgufTransform = 'none'): NameRow => ({
  gguf,
  huggingFace,
  transform,
});

function llamaLike(rotary: boolean): NameRow[] {
  return [
    row('token_embd', 'model.embed_tokens'),
    row('output_norm', 'model.norm'),
    row('output', 'lm_head'),
    row('blk.{n}.attn_norm', 'model.layers.{n}.input_layernorm'),
    row('blk.{n}.attn_q', 'model.layers.{n}.self_attn.q_proj', rotary ? 'rotary_q' : 'none'),
    row('blk.{n}.attn_k', 'model.layers.{n}.self_attn.k_proj', rotary ? 'rotary_k' : 'none'),
    row('blk.{n}.attn_v', 'model.layers.{n}.self_attn.v_proj'),
    row('blk.{n}.attn_output', 'model.layers.{n}.self_attn.o_proj'),
    row('blk.{n}.ffn_norm', 'model.layers.{n}.post_attention_layernorm'),
    row('blk.{n}.ffn_gate', 'model.layers.{n}.mlp.gate_proj'),
    row('blk.{n}.ffn_up', 'model.layers.{n}.mlp.up_proj'),
    row('blk.{n}.ffn_down', 'model.layers.{n}.mlp.down_proj'),
  ];
}

const TABLES: Readonly<Record<string, NameRow[]>> = {
  // Mistral models have the architecture llama in GGUF.
  llama: llamaLike(true),
  qwen2: llamaLike(false),
  qwen3: [
    ...llamaLike(false),
    row('blk.{n}.attn_q_norm', 'model.layers.{n}.self_attn.q_norm'),
    row('blk.{n}.attn_k_norm', 'model.layers.{n}.self_attn.k_norm'),
  ],
  gpt2: [
    row('token_embd', 'transformer.wte'),
    row('position_embd', 'transformer.wpe'),
    row('output_norm', 'transformer.ln_f'),
    row('output', 'lm_head'),
    row('blk.{n}.attn_norm', 'transformer.h.{n}.ln_1'),
    row('blk.{n}.attn_qkv', 'transformer.h.{n}.attn.c_attn', 'transpose'),
    row('blk.{n}.attn_output', 'transformer.h.{n}.attn.c_proj', 'transpose'),
    row('blk.{n}.ffn_norm', 'transformer.h.{n}.ln_2'),
    row('blk.{n}.ffn_up', 'transformer.h.{n}.mlp.c_fc', 'transpose'),
    row('blk.{n}.ffn_down', 'transformer.h.{n}.mlp.c_proj', 'transpose'),
  ],
};

/** Supported GGUF architectures. */
export const GGUF_ARCHITECTURES: readonly string[] = Object.keys(TABLES);

/** What llama.cpp has no tensors for in an architecture. */
export interface GgufLimits {
  /** Whether heads times their size must be the hidden size. */
  headsFillHidden: boolean;
  /** Whether linear modules may have biases. */
  biases: boolean;
}

/** @param architecture one of {@link GGUF_ARCHITECTURES} */
export function ggufLimits(architecture: string): GgufLimits {
  return { headsFillHidden: architecture === 'qwen2', biases: architecture !== 'qwen3' };
}

/** GGUF's architecture for a Hugging Face `model_type`; null if it is not supported. */
export function ggufArchitecture(modelType: string): string | null {
  const architecture = modelType === 'mistral' ? 'llama' : modelType;
  return GGUF_ARCHITECTURES.includes(architecture) ? architecture : null;
}

/**
 * @param moduleName without `.weight` or `.bias`, such as `model.layers.3.self_attn.q_proj`
 * @returns GGUF's name without suffix, such as `blk.3.attn_q`; null if the architecture has no such module
 */
export function ggufTensorName(architecture: string, moduleName: string): NameInOtherFormat | null {
  return translate(architecture, moduleName, 'huggingFace', 'gguf');
}

/** The reverse of {@link ggufTensorName}. */
export function huggingFaceModuleName(architecture: string, ggufName: string): NameInOtherFormat | null {
  return translate(architecture, ggufName, 'gguf', 'huggingFace');
}

/** GGUF's name of a parameter, such as `blk.3.attn_q.weight`; null if the architecture has no such parameter. */
export function ggufParameterName(architecture: string, parameter: string): NameInOtherFormat | null {
  return ofParameter(parameter, module => ggufTensorName(architecture, module));
}

/** The reverse of {@link ggufParameterName}. */
export function huggingFaceParameterName(architecture: string, ggufName: string): NameInOtherFormat | null {
  return ofParameter(ggufName, module => huggingFaceModuleName(architecture, module));
}

/** Rows are permuted in weight and bias, but only the weight is transposed. */
function ofParameter(name: string, translated: (module: string) => NameInOtherFormat | null): NameInOtherFormat | null {
  const [, module, suffix] = /^(.*)\.(weight|bias)$/.exec(name) ?? [];
  const found = module === undefined ? null : translated(module);
  if (!found) return null;
  const transform = found.transform === 'transpose' && suffix === 'bias' ? 'none' : found.transform;
  return { name: `${found.name}.${suffix}`, transform };
}

type Side = 'gguf' | 'huggingFace';

function translate(architecture: string, name: string, from: Side, to: Side): NameInOtherFormat | null {
  const block = /\.(\d+)\./.exec(name)?.[1];
  const pattern = name.replace(/\.\d+\./, '.{n}.');
  const found = TABLES[architecture]?.find(candidate => candidate[from] === pattern);
  return found ? { name: found[to].replace('{n}', block ?? ''), transform: found.transform } : null;
}
