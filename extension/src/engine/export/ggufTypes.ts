// Which type each tensor of a GGUF file gets, as llama.cpp's converter and quantizer decide. Called when a model is written as GGUF.
// Facts from llama.cpp's `conversion/base.py` and `llama-quant.cpp`.
import type { GgufModelType } from '../../protocol/exportConfig.js';
import { fitsRows } from '../files/ggufQuantizers.js';

interface ModelType {
  /** Of most matrices. */
  type: string;
  /** `general.file_type` */
  fileType: number;
  /** Whether value and down projections are Q6_K in some layers. */
  mixed?: boolean;
}

/** By their name on the command line. */
export const ggufModelTypes: Readonly<Record<GgufModelType, ModelType>> = {
  f32: { type: 'F32', fileType: 0 },
  f16: { type: 'F16', fileType: 1 },
  bf16: { type: 'BF16', fileType: 32 },
  q8_0: { type: 'Q8_0', fileType: 7 },
  q6_k: { type: 'Q6_K', fileType: 18 },
  q5_k_m: { type: 'Q5_K', fileType: 17, mixed: true },
  q4_k_m: { type: 'Q4_K', fileType: 15, mixed: true },
  q5_1: { type: 'Q5_1', fileType: 9 },
  q5_0: { type: 'Q5_0', fileType: 8 },
  q4_1: { type: 'Q4_1', fileType: 3 },
  q4_0: { type: 'Q4_0', fileType: 2 },
};

/** The type instead of one whose blocks the rows aren't made of; F16 instead of the others. */
const FALLBACKS: Readonly<Record<string, string>> = { Q4_K: 'Q5_0', Q5_K: 'Q5_1', Q6_K: 'Q8_0' };

/** Types without blocks. */
export const PLAIN_TYPES: readonly string[] = ['F32', 'F16', 'BF16'];

export interface TypedTensor {
  /** GGUF's */
  name: string;
  shape: readonly number[];
}

/** What the choice depends on in addition to the tensor. */
export interface TypedModel {
  /** Whether the head is a tensor of its own. */
  hasOutput: boolean;
  layers: number;
}

/** The type of a tensor in a file of a type. */
export function tensorType(model: GgufModelType, tensor: TypedTensor, { hasOutput, layers }: TypedModel): string {
  const { type, mixed } = ggufModelTypes[model];
  const { name } = tensor;
  const isHead = name === 'output.weight' || (name === 'token_embd.weight' && !hasOutput);
  if (isHead && !PLAIN_TYPES.includes(type) && type !== 'Q8_0') return usableType('Q6_K', tensor);
  const [, layer] = /^blk\.(\d+)\.(?:attn_v|attn_qkv|ffn_down)\.weight$/.exec(name) ?? [];
  const finer = mixed && layer !== undefined && usesMoreBits(Number(layer), layers);
  return usableType(finer ? 'Q6_K' : type, tensor);
}

/** The first and last eighth of the layers, and every third one between them. */
function usesMoreBits(layer: number, layers: number): boolean {
  const eighth = Math.floor(layers / 8);
  return layer < eighth || layer >= Math.floor((7 * layers) / 8) || (layer - eighth) % 3 === 2;
}

/** The type, or the one that llama.cpp uses instead: vectors, norms and positions stay F32, and rows must be whole blocks. */
export function usableType(type: string, { name, shape }: TypedTensor): string {
  if (shape.length < 2 || name.endsWith('_norm.weight') || name === 'position_embd.weight') return 'F32';
  let usable = type;
  while (!fitsRows(usable, shape.at(-1)!)) usable = FALLBACKS[usable] ?? 'F16';
  return usable;
}
