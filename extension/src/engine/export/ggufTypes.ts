// Which type each tensor of a GGUF file gets, as llama.cpp's converter and quantizer decide. Called when a model is written as GGUF.
// Facts from llama.cpp's `conversion/base.py` and `llama-quant.cpp`.
import { fitsRows } from '../files/ggufQuantizers.js';

interface ModelType {
  /** Of the matrices. */
  type: string;
  /** `general.file_type` */
  fileType: number;
}

/** By their name on the command line. */
export const ggufModelTypes: Readonly<Record<string, ModelType>> = {
  f32: { type: 'F32', fileType: 0 },
  f16: { type: 'F16', fileType: 1 },
  bf16: { type: 'BF16', fileType: 32 },
  q8_0: { type: 'Q8_0', fileType: 7 },
  q4_0: { type: 'Q4_0', fileType: 2 },
  q4_1: { type: 'Q4_1', fileType: 3 },
  q5_0: { type: 'Q5_0', fileType: 8 },
  q5_1: { type: 'Q5_1', fileType: 9 },
};

/** The type instead of one whose blocks the rows aren't made of. */
const FALLBACK = 'F16';

/** Types without blocks; a smaller one isn't used for what is as sensitive as the following. */
export const PLAIN_TYPES = ['F32', 'F16', 'BF16'];

/**
 * The type of a tensor in a file of a type.
 * @param type the model's
 * @param tensor GGUF's name and shape
 * @param hasOutput whether the head is a tensor of its own
 */
export function tensorType(
  type: string,
  { name, shape }: { name: string; shape: readonly number[] },
  hasOutput: boolean,
): string {
  if (shape.length < 2 || name.endsWith('_norm.weight') || name === 'position_embd.weight') return 'F32';
  const isHead = name === 'output.weight' || (name === 'token_embd.weight' && !hasOutput);
  return fitting(isHead && !PLAIN_TYPES.includes(type) ? 'Q8_0' : type, shape);
}

/** The type, or the one that llama.cpp uses instead if the rows aren't made of its blocks. */
export function fitting(type: string, shape: readonly number[]): string {
  return fitsRows(type, shape.at(-1) ?? 1) ? type : FALLBACK;
}
