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
export function tensorType(model: GgufModelType, tensor: TypedTensor, typed: TypedModel): string {
  return usableType(wantedType(model, tensor, typed), tensor);
}

/** The same if all rows are whole blocks of it. */
export function wantedType(model: GgufModelType, { name }: TypedTensor, { hasOutput, layers }: TypedModel): string {
  const { type, mixed } = ggufModelTypes[model];
  const isHead = name === 'output.weight' || (name === 'token_embd.weight' && !hasOutput);
  if (isHead && !PLAIN_TYPES.includes(type) && type !== 'Q8_0') return 'Q6_K';
  const [, layer] = /^blk\.(\d+)\.(?:attn_v|attn_qkv|ffn_down)\.weight$/.exec(name) ?? [];
  return mixed && layer !== undefined && usesMoreBits(Number(layer), layers) ? 'Q6_K' : type;
}

/** The first and last eighth of the layers, and every third one between them. */
function usesMoreBits(layer: number, layers: number): boolean {
  const eighth = Math.floor(layers / 8);
  return layer < eighth || layer >= Math.floor((7 * layers) / 8) || (layer - eighth) % 3 === 2;
}

/** Vectors, norms and positions, which stay F32. */
function staysF32({ name, shape }: TypedTensor): boolean {
  return shape.length < 2 || name.endsWith('_norm.weight') || name === 'position_embd.weight';
}

/** The type, or the one that llama.cpp uses instead: rows must be whole blocks. */
export function usableType(type: string, tensor: TypedTensor): string {
  const { shape } = tensor;
  if (staysF32(tensor)) return 'F32';
  let usable = type;
  while (!fitsRows(usable, shape.at(-1)!)) usable = FALLBACKS[usable] ?? 'F16';
  return usable;
}

/** A matrix whose rows aren't whole blocks of the type that it was to have. */
export interface Fallback {
  wanted: string;
  used: string;
  row: number;
}

/** null if the tensor has the type, or is none that would. */
export function fallbackOf(wanted: string, tensor: TypedTensor): Fallback | null {
  if (staysF32(tensor)) return null;
  const used = usableType(wanted, tensor);
  return used === wanted ? null : { wanted, used, row: tensor.shape.at(-1)! };
}

/** What is said of them; null if there are none. @param matrices of the file */
export function fallbackText(fallbacks: readonly Fallback[], matrices: number): string | null {
  const of = (pick: (fallback: Fallback) => string | number) => [...new Set(fallbacks.map(pick))].join(', ');
  const kinds = [...new Set(fallbacks.map(({ wanted, used }) => `${used} instead of ${wanted}`))].map(kind => {
    const { length } = fallbacks.filter(({ wanted, used }) => kind === `${used} instead of ${wanted}`);
    return `${length} ${kind}`;
  });
  if (kinds.length === 0) return null;
  return (
    `${fallbacks.length} of ${matrices} matrices have rows (${of(({ row }) => row)}) that aren’t whole blocks of their type: ` +
    `${kinds.join(', ')}, as llama.cpp does`
  );
}
